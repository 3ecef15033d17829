"""The command is interrupted or killed in each of its steps; the same command goes on, to the same weights as without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("jinja2")
from safetensors.numpy import load_file

from tests.adapt.network import write_checkpoint

SOURCE = "scene:cups?size=96x64&fps=1&count=48&seed=7"
# what is printed while a step is at work
STEPS = ("watching, 20 frames", "pseudo-labels for frames: ", "epoch 1/", "exporting tiny-fp32.onnx")


def start(folder: Path, out: str) -> subprocess.Popen[str]:
    words = [
        "adapt",
        str(folder / "tiny.safetensors"),
        "--source",
        SOURCE,
        "--teacher",
        "cups?threshold=0.3",
        "--out",
        str(folder / out),
    ]
    words += ["--epochs", "3", "--workers", "1", "--precision", "fp32", "--seed", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "edgecnn", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EDGECNN_PROGRESS": "lines", "OMP_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def send(process: subprocess.Popen[str], at: str, number: signal.Signals) -> str:
    """Send a signal once a line with ``at`` is printed; the last line of the command."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if at in line:
            process.send_signal(number)
            break
    _, rest = finish(process)
    assert at in seen[-1], "".join(seen)
    return (seen + rest.splitlines())[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, and a whole run without an interrupt."""
    path = tmp_path_factory.mktemp("interrupts")
    write_checkpoint(path)
    process = start(path, "whole")
    _, errors = finish(process)
    assert process.returncode == 0, errors
    return path


def frames(folder: Path) -> list[object]:
    return list(json.loads((folder / "frames.json").read_text())["frames"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_the_same_command_goes_on_to_the_same_result(folder: Path, number: signal.Signals) -> None:
    out = folder / number.name
    for at in STEPS:
        process = start(folder, number.name)
        last = send(process, at, number)
        if number is signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 2, last
            assert (
                last == "error: the adaptation was interrupted; frames and labels are kept; run it again: it goes on from there"
            )
        assert not (out / "adapt.json").exists()
    process = start(folder, number.name)
    shown, errors = finish(process)
    assert process.returncode == 0, errors
    whole = folder / "whole"
    assert frames(out) == frames(whole)
    assert json.loads((out / "split.json").read_text()) == json.loads((whole / "split.json").read_text())
    mine, others = (load_file(path / "training" / "model.safetensors") for path in (out, whole))
    assert all((mine[key] == others[key]).all() for key in others)
    results = [json.loads((path / "adapt.json").read_text()) for path in (out, whole)]
    assert results[0]["frames"] == results[1]["frames"]
    assert results[0]["comparison"]["mean"] == results[1]["comparison"]["mean"]
    assert (out / "adapt.html").is_file()
    assert "wrote " in shown
    if number is not signal.SIGKILL:
        assert not [path for path in out.rglob(".*") if ".part" in path.name]
