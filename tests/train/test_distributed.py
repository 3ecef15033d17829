"""Two real processes, started as a user starts them, against one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edgecnn.errors import InputError
from edgecnn.models import load_checkpoint, read_card
from edgecnn.train.distributed import ProcessGroup, global_divisor, process_mean

WORDS = ("--epochs", "2", "--batch", "32", "--ema", "0.5", "--workers", "1", "--amp", "fp32", "--augment", "light")


def start(processes: int, *words: str) -> subprocess.CompletedProcess[str]:
    """`edgecnn train` in so many processes."""
    head = [sys.executable, "-m", "edgecnn"]
    if processes > 1:
        head = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "edgecnn"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*head, "train", *words], capture_output=True, text=True, check=False, env=environment)


def answers(folder: Path) -> torch.Tensor:
    """What a trained network says to noise; weights that have no effect, such as a bias before batch-norm, may differ."""
    model, card = load_checkpoint(folder / "model.safetensors")
    image = torch.rand(4, card.preprocess.channels, *card.preprocess.size, generator=torch.Generator().manual_seed(0))
    found = model(image)
    return torch.cat([part.flatten() for part in found]) if isinstance(found, tuple) else found


TINY = (
    "--size",
    "64x96",
    "--model-option",
    "widths=8,8,16,16,16",
    "--model-option",
    "depths=1,1,1,1",
    "--model-option",
    "neck=16",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param("digits", ("lecture", *WORDS, "--limit", "128"), id="classifier-with-batch-norm"),
        pytest.param("boxes", ("edgedet", *WORDS, "--batch", "8", "--val-fraction", "0", *TINY), id="detector"),
    ],
)
def test_two_processes_give_what_one_gives(digits: Path, boxes: Path, tmp_path: Path, kind: str, words: tuple[str, ...]) -> None:
    data = {"digits": digits, "boxes": boxes}[kind]
    for count in (1, 2):
        done = start(count, *words, "--data", str(data), "--out", str(tmp_path / str(count)))
        assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("epoch 2/2") == 1
    assert "2 processes" in done.stdout
    one, two = (answers(tmp_path / name).detach() for name in ("1", "2"))
    assert float((one - two).abs().max()) < 0.01 * float(one.std())
    histories = [read_card(tmp_path / name / "model.safetensors").training["history"] for name in ("1", "2")]
    assert [row["loss"] for row in histories[0]] == pytest.approx([row["loss"] for row in histories[1]], rel=1e-3)


@pytest.mark.slow
def test_what_one_process_began_two_finish(digits: Path, tmp_path: Path) -> None:
    """The one is killed without warning."""
    words = ["mlp", *WORDS, "--epochs", "20", "--data", str(digits), "--limit", "96", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-u", "-m", "edgecnn", "train", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                process.send_signal(signal.SIGKILL)
                break
    done = start(2, *words, "--resume")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("resumed after epoch") == 1
    assert done.stdout.count("epoch 20/20") == 1


def test_parts_of_a_batch_are_even_and_all_of_it() -> None:
    indices = torch.randperm(12).numpy()
    parts = [ProcessGroup(rank, 3).shard(indices) for rank in range(3)]
    assert [len(part) for part in parts] == [4, 4, 4]
    assert sorted(index for part in parts for index in part) == list(range(12))
    with pytest.raises(InputError, match="--batch: 64 can't be divided among 3 processes; use a multiple of 3"):
        ProcessGroup(0, 3).check(64)


def test_alone_nothing_changes() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
    assert ProcessGroup().wrap(model) is model
    assert type(model[1]) is torch.nn.BatchNorm2d
    assert float(global_divisor(torch.tensor(0.5), 1.0)) == 1.0
    assert process_mean(3.0) == 3.0
