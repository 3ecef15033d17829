from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main

pytest.importorskip("torch")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["compress", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 20 gray images each, one folder a class, and teachers: of these classes, and of others."""
    import cv2

    from edgecnn.models import create, save_checkpoint
    from edgecnn.models.new_card import new_card

    for index in range(40):
        name = "dark" if index % 2 else "light"
        (tmp_path / "data/train" / name).mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(index).integers(0, 100, (16, 16)) + (0 if index % 2 else 150)
        cv2.imwrite(str(tmp_path / f"data/train/{name}/{index}.png"), image.astype(np.uint8))
    for file, labels in (("good", ("dark", "light")), ("other", ("cat", "dog"))):
        options = {"classes": 2, "channels": 1, "size": (16, 16)}
        card = new_card("mlp", options, labels)
        save_checkpoint(tmp_path / f"{file}.safetensors", create("mlp", **options), card)
    return tmp_path


def quick(folder: Path, *words: str) -> Result:
    common = ["--data", str(folder / "data"), "--epochs", "1", "--batch", "8", "--workers", "1"]
    common += [] if "--out" in words else ["--out", str(folder / "run")]
    return run(*words, *common, *([] if "--measure" in words else ["--measure", "none"]))


def test_a_student_is_taught_and_its_card_says_by_whom(folder: Path) -> None:
    from edgecnn.models import read_card

    found = quick(folder, "--student", "mlp", "--teacher", str(folder / "good.safetensors"), "--method", "dkd")
    assert found.exit_code == 0, found.output
    training = read_card(folder / "run/01-distil.safetensors").training
    assert training["distillation"]["method"] == "dkd"
    assert [teacher["name"] for teacher in training["distillation"]["teachers"]] == ["mlp"]
    report = (folder / "run/report.md").read_text()
    assert report.index("| teacher | ") < report.index("| 01-distil | ")
    assert training["command"].startswith("edgecnn compress --student mlp --teacher good.safetensors --method dkd")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ("--student", "mlp", "--teacher", "{}/other.safetensors"),
            "has the labels cat, dog, but the student dark, light",
            id="labels",
        ),
        pytest.param(
            ("--student", "mlp", "--teacher", "cups"), "--teacher: cups has the task detect, but the student classify", id="task"
        ),
        pytest.param(("--student", "mlp", "--teacher", "{}/none.safetensors"), "none.safetensors", id="no-teacher-there"),
        pytest.param(
            ("--student", "mlp"), "there is no teacher to learn from; name a checkpoint with --teacher", id="no-teacher"
        ),
        pytest.param(
            ("--student", "mlp", "--teacher", "{}/good.safetensors", "--method", "cells"),
            "--method: cells is not for the task classify; use one of kd, dkd",
            id="method",
        ),
        pytest.param(("{}/good.safetensors",), "there is nothing to do; give --student", id="nothing-to-do"),
        pytest.param(
            ("{}/good.safetensors", "--target-macs", "1x"), "not fewer than the 98,560 of the network", id="target-that-is-none"
        ),
        pytest.param(
            ("{}/good.safetensors", "--target-macs", "9999x"), "out of reach: pruning ends at", id="target-out-of-reach"
        ),
        pytest.param(
            ("{}/good.safetensors", "--target-latency", "raspberry"), "another device is not supported yet", id="device"
        ),
        pytest.param(("{}/good.safetensors", "--qat", "--measure", "coreml"), "one of onnx", id="unknown-format"),
        pytest.param(("--compare", "{}"), "holds no run of edgecnn compress", id="no-run-to-compare"),
        pytest.param((), "there is no network to compress", id="nothing"),
    ],
)
def test_mistake_is_one_line_with_exit_code_2(folder: Path, words: tuple[str, ...], message: str) -> None:
    found = quick(folder, *(word.format(folder) for word in words))
    assert found.exit_code == 2
    assert message in found.output
    assert found.output.count("error:") == 1
    assert "Traceback" not in found.output


@pytest.mark.slow
def test_each_step_is_exported_measured_and_compared_again(folder: Path) -> None:
    pytest.importorskip("onnx")
    found = quick(folder, str(folder / "good.safetensors"), "--qat", "--qat-epochs", "1", "--measure", "onnx", "--threads", "1")
    assert found.exit_code == 0, found.output
    text = (folder / "run/report.md").read_text()
    for name in ("00-start", "01-qat"):
        assert f"| {name} | onnx | fp32 | " in text
        assert f"| {name} | onnx | int8 | " in text
    places = ("--compare", str(folder / "run"), "--compare", str(folder / "good.safetensors"), "--out", str(folder / "both"))
    assert quick(folder, *places).exit_code == 0
    assert "| run-01-qat | " in (folder / "both/report.md").read_text()
    assert "| good | " in (folder / "both/report.md").read_text()


def test_help_imports_no_torch_and_knows_the_methods() -> None:
    from edgecnn.cli.compress import METHODS
    from edgecnn.compress.distill import METHODS as REAL

    assert tuple(method for methods in REAL.values() for method in methods) == METHODS
    steps = ("import sys", "from edgecnn.cli.compress import command", "command(['--help'], standalone_mode=False)")
    code = "\n".join((*steps, "sys.exit('torch' in sys.modules)"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "--teacher" in done.stdout
    assert "--epochs" in done.stdout


def test_help_starts_with_examples_and_groups_the_options() -> None:
    text = run("--help").output
    headings = ["  Distillation:", "  Pruning:", "  Quantization-aware training:", "  Report:", "  Data:", "  Optimization:"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert text.index("edgecnn compress --student") < places[0]
    assert places[1] < text.index("Pruning rounds.") < places[2]
