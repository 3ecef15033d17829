"""The name of a shipped model in every command: with an ONNX file beside the checkpoint, and without one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn import shipped
from edgecnn.cli import COMMANDS, main
from edgecnn.runtime.model.predictor import Predictor

pytest.importorskip("torch")
HERE, DIGITS = "NAME", "DIGITS"
# The words of a call, and what its output says; where it can't work, the error that has to be printed.
RUN = {
    "info": (["info", HERE], "28 x 28 gray"),
    "models": (["models", HERE], "resnet-xs"),
    "run": (["run", HERE, "--source", "scene:cups?size=96x64", "--max-frames", "1"], "ms"),
    "evaluate": (["evaluate", HERE, "--data", DIGITS, "--data-labels", "LABELS", "--limit", "20"], "top-1"),
    "evaluate A B": (["evaluate", HERE, HERE, "--data", DIGITS, "--data-labels", "LABELS", "--limit", "20"], "agree"),
    "evaluate --group-by": (
        ["evaluate", HERE, "--data", DIGITS, "--data-labels", "LABELS", "--limit", "40", "--group-by", "class"],
        "group",
    ),
    "selftest": (["selftest", HERE], "holds no goldens; export it"),
    "verify": (["verify", HERE, "--key", "no.pub"], "no.pub"),
    "sign": (["sign", HERE, "--key", "no.pem"], "belongs to the installed package"),
    "wrap": (["wrap", HERE, "--out", "out.onnx"], "can't hold a card"),
    "model-card": (["model-card", HERE], "resnet-xs"),
    "thresholds": (["thresholds", HERE, "--data", DIGITS], "is no detector, its task is classify"),
    "drift-profile": (["drift-profile", HERE, "--data", DIGITS], "belongs to the installed package; write a copy with --out"),
}
# Commands that take long: which file they understand by the name.
PARSED = {
    "benchmark": [HERE],
    "compare": [HERE, HERE],
    "robustness": [HERE, "--data", DIGITS],
    "shortcuts": [HERE, "--data", DIGITS],
    "attack": [HERE, "--data", DIGITS],
    "check": [HERE, "--policy", "p.toml"],
    "explain": [HERE, "--data", DIGITS],
}
CHECKPOINTS = {"train", "compress", "export", "sensitivity", "adapt"}  # these take a name by find_checkpoint
OTHER = {
    "data": "of datasets",
    "devices": "of boards",
    "doctor": "of machines",
    "wheelhouse": "of wheels",
    "service": "takes the words of edgecnn run",
    "deploy": "takes the words of edgecnn run",
    "sweep": "a file names the models",
}


def test_each_command_is_in_the_table() -> None:
    known = {name.split()[0] for name in RUN} | PARSED.keys() | CHECKPOINTS | OTHER.keys()
    assert set(COMMANDS) <= known


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a classifier that ships as a checkpoint alone."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(shipped.checkpoint("fashion-resnet-xs"), folder / "plain.safetensors")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    return "plain"


def placed(words: list[str], name: str, digits: Path) -> list[str]:
    labels = ",".join(shipped.read(name)[0].labels)
    return [{HERE: name, DIGITS: str(digits), "LABELS": labels}.get(word, word) for word in words]


@pytest.mark.parametrize("case", RUN)
def test_a_name_without_an_onnx_file(case: str, plain: str, make_digits: Callable[[int, int], Path]) -> None:
    words, said = RUN[case]
    done = CliRunner().invoke(main, placed(words, plain, make_digits(4, 40)))
    output = done.stdout + done.stderr
    assert not done.exception or isinstance(done.exception, SystemExit), output
    assert said in output
    assert "does not exist" not in output
    if done.exit_code:
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", PARSED)
@pytest.mark.parametrize("with_onnx", [True, False], ids=["onnx", "checkpoint"])
def test_a_name_becomes_a_file(command: str, with_onnx: bool, plain: str) -> None:
    if with_onnx:
        shutil.copy(Path(shipped.__file__).parent / "models" / "weights" / "cups-embed.onnx", shipped.FOLDER / "plain.onnx")
    found = main.get_command(click.Context(main), command)
    assert found is not None
    context = found.make_context(command, placed(PARSED[command], plain, Path("digits")))
    value = context.params.get("files") or context.params.get("file")
    expected = shipped.FOLDER / f"plain.{'onnx' if with_onnx else 'safetensors'}"
    assert value in (expected, (expected,), (expected, expected))


@pytest.mark.parametrize("name", [name for name in shipped.names() if name.startswith("fashion")])
@pytest.mark.parametrize("command", PARSED)
def test_a_name_of_a_classifier_is_its_int8_file(command: str, name: str) -> None:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    context = found.make_context(command, placed(PARSED[command], name, Path("digits")))
    value = context.params.get("files") or context.params.get("file")
    expected = shipped.FOLDER / f"{name}.onnx"
    assert value in (expected, (expected,), (expected, expected))


@pytest.mark.parametrize("name", shipped.names())
def test_each_shipped_name_predicts(name: str) -> None:
    card = shipped.read(name)[0]
    with Predictor(name) as predictor:
        height, width = card.preprocess.size
        prediction = predictor(np.zeros((height, width, 3), np.uint8))
        assert predictor.card.labels == card.labels
        assert prediction is not None
