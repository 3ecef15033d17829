"""The kinds of work that are killed, and what must hold of their folders afterwards."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from safetensors.torch import load_file

from edgecnn.compress.config import CompressConfig
from edgecnn.compress.run import compress
from edgecnn.export.config import ExportConfig
from edgecnn.export.run import run_exports
from edgecnn.models import create, load_checkpoint, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.train.config import TrainConfig
from edgecnn.train.run import train

LABELS = tuple("0123456789")


def _checkpoint(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    card = new_card("resnet-s", {"classes": 10, "widths": (8, 8, 16), "depth": 1}, LABELS)
    save_checkpoint(path, create("resnet-s", **card.model["options"]), card)


def _digits(folder: Path) -> None:
    """IDX files of ten kinds of bars."""
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 160), ("t10k", 40)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[:, 2 * label : 2 * label + 4] += 150
        for what, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}-{what}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes(), 1))


def _same(first: Path, second: Path) -> bool:
    a, b = load_file(first), load_file(second)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class Export:
    """New files over old ones, in three formats."""

    names = ("net-fp32.onnx", "net-fp32.tflite", "net-fp32.xml")

    def prepare(self, folder: Path) -> None:
        """Files of the old network, and the weights of the new one."""
        for name, seed in (("old", 1), ("new", 2)):
            _checkpoint(folder / f"{name}.safetensors", seed)
        self._export(folder, "old")

    def _export(self, folder: Path, which: str) -> None:
        torch.set_num_threads(1)
        run_exports(ExportConfig(model=str(folder / f"{which}.safetensors"), out=folder / "out", name="net", force=True))

    def do(self, folder: Path) -> None:
        """Export the new network over the old one."""
        self._export(folder, "new")

    def check(self, folder: Path, whole: Path) -> None:
        """All files are there and pass their goldens; what was not finished has a hidden name; another export removes nothing."""
        assert whole.exists()
        digests = {load_checkpoint(folder / f"{name}.safetensors")[1].sha256 for name in ("old", "new")}
        for name in self.names:
            card, result = selftest_file(folder / "out" / name)
            assert card.sha256 in digests, name
            assert not result.violations, name
            report = json.loads((folder / "out" / f"{name}.parity.json").read_text())
            assert report["artifact"] == name
        seen = {path.name for path in (folder / "out").iterdir() if not path.name.startswith(".")}
        assert seen == {*self.names, "net-fp32.bin", *(f"{name}.parity.json" for name in self.names)}, seen


class Train:
    """A training, which goes on to the same weights."""

    def prepare(self, folder: Path) -> None:
        """The data."""
        (folder / "data").mkdir()
        _digits(folder / "data")

    def _config(self, folder: Path, **more: Any) -> TrainConfig:
        return TrainConfig(
            model="mlp", data=(str(folder / "data"),), out=folder / "run", epochs=12, batch=32, ema=0.9, workers=0,
            model_options={"hidden": 16}, **more,
        )  # fmt: skip

    def do(self, folder: Path) -> None:
        """Train."""
        torch.set_num_threads(1)
        train(self._config(folder), print)

    def check(self, folder: Path, whole: Path) -> None:
        """What has a final name can be read; resumed, it ends as if it had not been killed."""
        torch.set_num_threads(1)
        for path in sorted((folder / "run").glob("[!.]*.safetensors")) if (folder / "run").exists() else ():
            load_checkpoint(path)  # a name that begins with a dot is a draft, which may be cut
        for path in (folder / "run").glob("*.json"):
            json.loads(path.read_text())
        if not (folder / "run" / "model.safetensors").exists() or not self._ended(folder):
            train(self._config(folder, resume=(folder / "run").exists() and any((folder / "run").glob("*.pt"))), print)
        assert _same(folder / "run/model.safetensors", whole / "run/model.safetensors")

    def _ended(self, folder: Path) -> bool:
        return len(load_checkpoint(folder / "run/model.safetensors")[1].training["history"]) == 12


class Compress:
    """Pruning and training for int8, which goes on to the same networks."""

    def prepare(self, folder: Path) -> None:
        """The data and the network."""
        (folder / "data").mkdir()
        _digits(folder / "data")
        _checkpoint(folder / "net.safetensors", 3)

    def _run(self, folder: Path, *, resume: bool) -> None:
        torch.set_num_threads(1)
        options = TrainConfig(
            model="", data=(str(folder / "data"),), out=folder / "run", epochs=1, batch=32, ema=0.5, workers=0, resume=resume
        )
        compress(
            CompressConfig(
                train=options, checkpoint=str(folder / "net.safetensors"), target_macs="2x", rounds=2, qat=True, qat_epochs=1
            ),
            print,
        )

    def do(self, folder: Path) -> None:
        """Prune and train for int8."""
        self._run(folder, resume=False)

    def check(self, folder: Path, whole: Path) -> None:
        """What has a final name can be read; resumed, it ends as if it had not been killed."""
        for path in sorted((folder / "run").rglob("*.safetensors")) if (folder / "run").exists() else ():
            if not path.name.startswith("."):
                load_checkpoint(path)
        self._run(folder, resume=(folder / "run").exists())
        for path in sorted((whole / "run").glob("*.safetensors")):
            assert _same(folder / "run" / path.name, path), path.name


class Record:
    """A run with all outputs that are files, over those of the run before."""

    def prepare(self, folder: Path) -> None:
        """The outputs of a run before."""
        self._run(folder, 5)

    def _run(self, folder: Path, frames: int) -> None:
        out = str(folder / "out")
        words = [
            sys.executable, "-m", "edgecnn", "run", "cups", "--source", "scene:cups?size=320x240", "--policy", "all", "--max-frames",
            str(frames), "--track", "--line", "middle:0.5,0,0.5,1", "--out", f"{out}.mp4", "--jsonl", f"{out}.jsonl", "--csv", f"{out}.csv",
            "--mot", f"{out}.txt", "--coco", f"{out}.coco.json", "--events", f"{out}.events", "--stats", f"{out}.stats.json",
            "--snapshot", f"{out}.png", "--clips", f"{out}-clips", "--log", "off",
        ]  # fmt: skip
        subprocess.run(words, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def do(self, folder: Path) -> None:
        """Run."""
        self._run(folder, 60)

    def check(self, folder: Path, whole: Path) -> None:
        """Videos play, every line but the last is whole, and what is written at the end is the old file or the new one."""
        with av.open(str(folder / "out.mp4")) as video:
            assert sum(1 for _ in video.decode(video=0)) >= 0
        for clip in (folder / "out-clips").rglob("*.mp4") if (folder / "out-clips").exists() else ():
            with av.open(str(clip)) as video:
                assert sum(1 for _ in video.decode(video=0)) > 0, clip
        for path in (folder / "out.jsonl", *folder.glob("out.events")):  # events have a file once there is one
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    json.loads(line)
        rows = [line.count(",") for line in (folder / "out.csv").read_text().splitlines(keepends=True) if line.endswith("\n")]
        assert len(set(rows)) <= 1, rows
        for name in ("out.coco.json", "out.stats.json"):
            json.loads((folder / name).read_text())
        assert (folder / "out.png").read_bytes().endswith(b"IEND\xaeB`\x82")
