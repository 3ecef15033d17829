from __future__ import annotations

import gzip
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.models import create, names, read_card, save_checkpoint
from edgecnn.models.new_card import new_card


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["train", *words])


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """IDX files with 40 images to train on and 20 to test on."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for prefix, count in (("train", 40), ("t10k", 20)):
        pixels = np.random.default_rng(count).integers(0, 255, (count, 28, 28)).astype(np.uint8)
        header = struct.pack(">4I", 0x803, count, 28, 28)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pixels.tobytes()))
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">2I", 0x801, count) + labels.tobytes())
        )
    return folder


def test_a_line_for_each_epoch_and_a_checkpoint(digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = run("mlp", "--data", str(digits), "--out", str(tmp_path / "run"), "--epochs", "2", "--batch", "16", "--workers", "1")
    assert found.exit_code == 0, found.output
    assert "digits is read as IDX (train-images-idx3-ubyte.gz), split train: 40 images" in found.stderr
    lines = found.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert all("loss" in line and "top-1" in line for line in lines[1:3])
    assert lines[-1] == f"wrote {tmp_path / 'run/model.safetensors'}"
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"model.safetensors", "state.pt", "scores.json", "curves.png", "confusion.png"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--val", "{}", "--val-fraction", "0.1"), "--val-fraction splits --data, but --val names", id="val twice"),
        pytest.param(("--data-format", "voc"), "format=voc: .* has none of its files", id="another format"),
        pytest.param(("--data-format", "csv"), "format=csv is not a format of datasets", id="no format"),
    ],
)
def test_options_of_the_data_that_contradict_are_one_line(
    digits: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    pytest.importorskip("torch")
    options = [word.format(digits) for word in words]
    found = run("mlp", "--data", str(digits), "--out", str(tmp_path / "run"), *options)
    assert found.exit_code == 2
    assert re.search(said, found.output)
    assert not (tmp_path / "run").exists()


def test_a_scene_is_not_downloaded(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = run("edgedet", "--data", "scene:cups?count=4", "--download", "--out", str(tmp_path / "run"))
    assert (found.exit_code, "--download is for Fashion-MNIST, but --data is a scene" in found.output) == (2, True)


def test_options_of_the_network_go_into_card_and_command(digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from edgecnn.models import read_card

    words = ("--epochs", "1", "--batch", "16", "--workers", "1", "--model-option", "width=0.5", "--model-option", "blocks=1")
    found = run("resnet-20", "--data", str(digits), "--out", str(tmp_path / "run"), "--size", "16x16", *words)
    assert found.exit_code == 0, found.output
    card = read_card(tmp_path / "run/model.safetensors")
    assert {key: card.model["options"][key] for key in ("width", "blocks", "channels")} == {
        "width": 0.5,
        "blocks": 1,
        "channels": 1,
    }
    assert card.training["command"].endswith("--size 16x16 --model-option width=0.5 --model-option blocks=1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("yolo", "--data", "{digits}"), "there is no model 'yolo'; use one of mlp, lecture", id="unknown-model"),
        pytest.param(("mlp", "--data", "{tmp}/nowhere"), "nowhere does not exist", id="no-data"),
        pytest.param(
            ("edgedet", "--data", "{digits}"),
            "digits is for the task classify, but the model is for the task detect",
            id="data-of-another-task",
        ),
        pytest.param(("edgedet", "--data", "scene:cups?seed=1"), "count", id="scene-without-end"),
        pytest.param(("mlp", "--data", "{digits}", "--resume"), "no state.pt", id="nothing-to-resume"),
        pytest.param(("edgedet", "--data", "scene:cups?count=2", "--size", "100x100"), "multiples of 32", id="size-of-no-stride"),
        pytest.param(("mlp", "--data", "{digits}", "--model-option", "width=2"), "hidden=256", id="option-of-no-such-model"),
        pytest.param(("mlp", "--data", "{digits}", "--out", "{digits}/train-labels-idx1-ubyte.gz"), "--out", id="out-is-a-file"),
    ],
)
def test_mistake_is_one_line_with_exit_code_2(digits: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    pytest.importorskip("torch")
    filled = [word.format(digits=digits, tmp=tmp_path) for word in words]
    found = run(*filled, *([] if "--out" in words else ["--out", str(tmp_path / "run")]))
    assert found.exit_code == 2
    assert message in found.output
    assert found.output.count("error:") == 1
    assert "Traceback" not in found.output


def test_help_lists_the_models_without_importing_torch() -> None:
    code = "import sys\nfrom edgecnn.cli.train import command\ncommand(['--help'], standalone_mode=False)\nsys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    for name in names():
        assert name in done.stdout


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    """A module of that name which can't be imported stands for one that is not installed."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    words = ["train", "mlp", "--data", "scene:cups?count=2", "--out", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", *words], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 2, done.stderr
    assert 'pip install "edgecnn[train]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A YOLO folder: 12 images of two clips with a square each, one line of which is wrong."""
    folder = tmp_path / "squares"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("dark\nbright\n")
    for index in range(12):
        image = np.full((64, 64, 3), 110, np.uint8)
        image[20:40, 20:40] = 240 if index % 2 else 10
        cv2.imwrite(str(folder / f"images/{index % 3}_{index:02d}.png"), image)
        (folder / f"labels/{index % 3}_{index:02d}.txt").write_text(
            f"{index % 2} 0.47 0.47 0.31 0.31\n" + "7 1 1 1 1\n" * (index == 0)
        )
    return folder


TINY = ("--size", "64x64", "--epochs", "1", "--batch", "4", "--workers", "1", "--augment", "none")


def test_a_detector_holds_groups_out_brings_classes_together_and_names_problems(squares: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pycocotools")
    data = ("--data", f"{squares}?classes=dark", "--data", f"{squares}?rename=bright:light", "--classes", "light,dark")
    found = run("edgedet", *data, "--group-by", r"^(\d)_", "--val-fraction", "0.3", *TINY, "--out", str(tmp_path / "run"))
    assert found.exit_code == 0, found.output
    assert found.stderr.count("1 problem in squares:\n  labels/0_00.txt:2: the class 7 where there are 2") == 2
    assert "16 images, 2 classes, scored on 8 others" in found.stdout
    card = read_card(tmp_path / "run/model.safetensors")
    assert [source.get("unlabelled") for source in card.training["sources"]] == [["light"], None]
    assert "--classes light,dark --group-by '^(\\d)_'" in card.training["command"]


def test_a_problem_stops_a_strict_training(squares: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = run("edgedet", "--data", str(squares), "--strict", *TINY, "--out", str(tmp_path / "run"))
    assert found.exit_code == 2
    assert "--strict: squares has 1 problem, the first labels/0_00.txt:2" in found.stderr


def test_a_teacher_labels_what_a_dataset_does_not(squares: Path, tmp_path: Path) -> None:
    """Its weights are random: it finds what it finds."""
    pytest.importorskip("torch")
    pytest.importorskip("pycocotools")
    teacher = tmp_path / "teacher.safetensors"
    card = new_card("edgedet", {"classes": 2, "size": (64, 64)}, ("spot", "dark"))
    save_checkpoint(teacher, create("edgedet", **card.model["options"]), card)
    data = ("--data", f"{squares}?classes=dark", "--classes", "dark,light", "--val-fraction", "0")
    pseudo = f"{teacher}?threshold=0.001&lower=0.0005&rename=spot:light"
    found = run("edgedet", *data, "--pseudo", pseudo, *TINY, "--out", str(tmp_path / "run"))
    assert found.exit_code == 0, found.output
    source = read_card(tmp_path / "run/model.safetensors").training["sources"][0]
    assert [one["teacher"] for one in source["pseudo"]["teachers"]] == [teacher.name]
    assert source["pseudo"]["boxes"]["light"] > 0
    assert (tmp_path / "run" / f"pseudo-0-squares-{teacher.stem}.json").is_file()


def test_help_starts_with_examples_and_groups_the_options() -> None:
    text = run("--help").output
    headings = ["  Data:", "  Output:", "  Network:", "  Optimization:", "  Augmentation:"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert text.index("edgecnn train resnet-s") < places[0]
    assert places[3] < text.index("--epochs INTEGER") < places[4] < text.index("--multiscale-fraction")
