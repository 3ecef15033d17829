"""Whole commands on images that the model was trained or calibrated on: one line, exit code 2, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main

COMMANDS = [
    ("evaluate", "{model}"),
    ("evaluate", "{model}", "{model}"),
    ("evaluate", "{model}", "--group-by", "class"),
    ("robustness", "{model}", "--transform", "contrast=0.5"),
    ("shortcuts", "{model}", "--explained", "0", "--count", "30"),
    ("attack", "{model}", "--method", "noise", "--eps", "4"),
]


def called(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture(scope="module")
def digits(make_digits: Callable[[int, int], Path]) -> Path:
    return make_digits(64, 24)


@pytest.fixture(scope="module")
def model(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from edgecnn.train.config import TrainConfig
    from edgecnn.train.run import train

    out = tmp_path_factory.mktemp("net")
    config = TrainConfig(model="mlp", data=(str(digits),), out=out, epochs=1, batch=32, workers=1, flip=False, augment="none")
    return train(config, lambda _: None)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words).replace("{model}", "FILE"))
def test_the_training_images_are_refused_and_the_held_out_ones_measured(
    words: tuple[str, ...], model: Path, digits: Path, tmp_path: Path
) -> None:
    command = [word.format(model=model) for word in words]
    document = tmp_path / "out.json"
    refused = called(*command, "--data", f"{digits}?split=train", "--json", document)
    assert refused.exit_code == 2, refused.output
    assert "images compared are in the training data of model.safetensors (" in refused.output
    assert refused.output.rstrip().count("\n") < 2
    assert f"such as '{digits}?split=test'; --allow-overlap" in refused.output
    assert not document.exists()
    measured = called(*command, "--data", digits, "--json", document)
    assert measured.exit_code == 0, measured.output
    found = json.loads(document.read_text())
    found = found["files"][0] if words[0] == "shortcuts" else found
    assert [(part["part"], part["shared"]) for part in found["overlap"]["parts"]] == [("training", 0)]


def test_what_is_allowed_is_said_in_text_document_and_page(model: Path, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    document, page = tmp_path / "out.json", tmp_path / "out.html"
    words = ["--data", f"{digits}?split=train", "--json", document, "--html", page, "--allow-overlap"]
    done = called("evaluate", model, *words)
    assert done.exit_code == 0, done.output
    for text in (done.output, page.read_text()):
        assert "61 of 64 images compared are in the training data of model.safetensors" in text
    assert json.loads(document.read_text())["overlap"]["allowed"] is True


def test_calibration_images_under_other_names_are_refused(model: Path, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    random = np.random.default_rng(0)
    for number in range(70):
        image = random.integers(0, 256, (28, 28)).astype(np.uint8)
        for name, file in (("cal", f"{number}.png"), ("again", f"other-{number}.bmp")):
            folder = tmp_path / name / str(number % 10)
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / file), image)
    made = called(
        "export", model, "--precision", "int8", "--calibration", tmp_path / "cal", "--out", tmp_path / "out", "--accept"
    )
    assert made.exit_code == 0, made.output
    (file,) = (tmp_path / "out").glob("*.onnx")
    refused = called("evaluate", file, "--data", tmp_path / "again")
    assert refused.exit_code == 2, refused.output
    assert f"images compared are in the calibration data of {file.name} (" in refused.output
    assert called("evaluate", file, "--data", digits).exit_code == 0


def test_an_export_does_not_judge_its_loss_on_training_images(model: Path, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    words = ["export", model, "--out", tmp_path, "--evaluate", f"{digits}?split=train"]
    refused = called(*words)
    assert refused.exit_code == 2, refused.output
    assert "61 of 64 images compared are in the training data of mlp" in refused.output
    assert not list(tmp_path.glob("*.onnx"))
    allowed = called(*words, "--allow-overlap")
    assert allowed.exit_code == 0, allowed.output
    assert "61 of 64 images compared" in allowed.output
