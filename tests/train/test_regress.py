"""Regression from training to artifacts: how bright is the square?"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.card import Precision
from edgecnn.cli import main
from edgecnn.data import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.export import Calibration, export
from edgecnn.models import create, load_checkpoint, read_card
from edgecnn.models.new_card import new_card
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train.config import TrainConfig
from edgecnn.train.regress import with_target_scale
from edgecnn.train.run import train
from edgecnn.types import Image, Values


def square(index: int) -> tuple[Image, float]:
    """A square somewhere, whose brightness in percent is the value."""
    rng = np.random.default_rng(index)
    image = rng.integers(90, 110, (16, 16, 3)).astype(np.uint8)
    shade, (y, x) = int(rng.integers(0, 256)), rng.integers(0, 8, 2)
    image[y : y + 8, x : x + 8] = shade
    return image, shade / 2.55


def squares(count: int, start: int = 0) -> Dataset:
    samples = [Sample(f"{i}.png", lambda i=i: square(i)[0], value=square(i)[1]) for i in range(start, start + count)]
    return Dataset("squares", "regress", ("brightness",), samples)


def write(folder: Path, values: dict[str, float]) -> Path:
    folder.mkdir()
    for name in values:
        cv2.imwrite(str(folder / name), square(int(name[:-4]))[0])
    (folder / "values.csv").write_text("\n".join(["file,brightness", *(f"{name},{value}" for name, value in values.items())]))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pictures of squares, and values.csv."""
    return write(tmp_path / "squares", {f"{index}.png": square(index)[1] for index in range(160)})


def options(data: Path, out: Path, **changes: Any) -> TrainConfig:
    base: dict[str, Any] = {
        "model": "lecture",
        "epochs": 12,
        "batch": 16,
        "lr": 1e-2,
        "ema": 0.9,
        "workers": 1,
        "augment": "none",
    }
    return TrainConfig(data=(str(data),), out=out, **{**base, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a training, and what it output_of."""
    folder, lines = tmp_path_factory.mktemp("trained"), list[str]()
    data = write(folder / "squares", {f"{index}.png": square(index)[1] for index in range(160)})
    train(options(data, folder / "run", val_fraction=0.2), lines.append)
    return folder / "run", lines


def test_a_regression_is_trained_and_all_files_are_written(trained: tuple[Path, list[str]]) -> None:
    folder, lines = trained
    card = read_card(folder / "model.safetensors")
    assert (card.task, card.labels, card.outputs[0].name) == ("regress", ("brightness",), "values")
    assert card.training["scores"]["r2"] > 0.9
    assert card.training["scores"]["mae"] < 10
    assert "R²" in lines[-1]
    assert cv2.imread(str(folder / "values.png")) is not None
    assert cv2.imread(str(folder / "curves.png")) is not None


@pytest.mark.parametrize(
    ("format", "precision"),
    [
        pytest.param("onnx", "fp32", id="onnx-fp32"),
        pytest.param("onnx", "int8", id="onnx-int8"),
        pytest.param("openvino", "int8", id="openvino-int8"),
        pytest.param("tflite", "int8", id="tflite-int8"),
    ],
)
def test_artifact_reads_the_same_values(
    trained: tuple[Path, list[str]], tmp_path: Path, format: str, precision: Precision
) -> None:
    model, card = load_checkpoint(trained[0] / "model.safetensors")
    test = squares(24, start=5000)
    calibration = Calibration([square(index)[0] for index in range(64)], "squares")
    real = [sample.read() for sample in test.samples]
    made = export(model, card, tmp_path, format=format, precision=precision, calibration=calibration, verify_with=real)
    with Predictor(made.path) as predictor:
        assert predictor.card.decode.options["scale"][0] == pytest.approx(card.decode.options["scale"][0])
        assert evaluate(predictor, test).primary > 0.85


def test_command_line_from_folder_to_score(data: Path, tmp_path: Path) -> None:
    """train, evaluate, export with a measured file, run: as a user would."""
    run, out = tmp_path / "run", tmp_path / "out"
    words = ["--epochs", "12", "--batch", "16", "--lr", "0.01", "--ema", "0.9", "--augment", "none", "--workers", "1"]
    output_of(["train", "lecture", "--data", str(data), "--out", str(run), *words])
    assert "R²  " in output_of(["evaluate", str(run / "model.safetensors"), "--data", str(data), "--allow-overlap"])
    exported = ["export", str(run / "model.safetensors"), "--format", "onnx", "--out", str(out), "--evaluate", str(data)]
    assert "R²" in output_of([*exported, "--verify-data", str(data), "--evaluate-limit", "40", "--allow-overlap"])
    report = tmp_path / "score.json"
    output_of(["evaluate", str(out / "lecture-fp32.onnx"), "--data", str(data), "--allow-overlap", "--json", str(report)])
    score = json.loads(report.read_text())["score"]
    assert score["values"]["r2"] > 0.9
    assert len(score["pairs"]) == 160
    assert "brightness" in output_of(["run", str(out / "lecture-fp32.onnx"), "--source", str(data / "3.png")])


def output_of(words: list[str]) -> str:
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0, found.output
    return found.output


def test_checkpoint_as_a_backend(data: Path, tmp_path: Path) -> None:
    train(options(data, tmp_path / "run", epochs=1), lambda _: None)
    with Predictor(tmp_path / "run/model.safetensors") as predictor:
        assert [spec.name for spec in predictor.backend.outputs] == ["values"]
        assert isinstance(predictor(square(7)[0]), Values)


def test_outputs_are_trained_at_mean_0_and_deviation_1(data: Path, tmp_path: Path) -> None:
    train(options(data, tmp_path / "run", epochs=1, val_fraction=0.0), lambda _: None)
    found = read_card(tmp_path / "run/model.safetensors").decode.options
    values = np.array([square(index)[1] for index in range(160)])
    assert (found["scale"][0], found["offset"][0]) == (pytest.approx(values.std()), pytest.approx(values.mean()))


def test_equal_seeds_give_equal_bits(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(options(data, tmp_path / name, epochs=2, augment="standard"), lambda _: None)
    first, second = (read_card(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert first.sha256 == second.sha256


def test_equal_values_are_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "same", {f"{index}.png": 3.0 for index in range(8)})
    with pytest.raises(InputError, match="all 8 images have the value 3;"):
        train(options(data, tmp_path / "run", val_fraction=0.0), lambda _: None)


def test_an_image_without_a_value_is_counted() -> None:
    card = new_card("mlp", {"classes": 1, "head": "regress"}, ("brightness",))
    dataset = squares(4)
    holed = dataset.map(lambda sample: dataclasses.replace(sample, value=None if sample.name == "2.png" else sample.value))
    with pytest.raises(InputError, match="1 images have no value"):
        with_target_scale(card, [holed])


def test_a_detector_is_not_trained_on_values(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="squares is for the task regress, but the model is for the task detect"):
        train(options(data, tmp_path / "run", model="edgedet"), lambda _: None)


def test_the_head_gives_one_number_for_each_label() -> None:
    assert create("resnet-8", classes=2, head="regress").task == "regress"
