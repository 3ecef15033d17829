"""Regression from training to artifacts: how bright is the square?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.data import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.export import Calibration, export
from edgecnn.metrics import evaluate
from edgecnn.models import create, load_checkpoint, read_card
from edgecnn.runtime.predictor import Predictor
from edgecnn.train.options import TrainOptions
from edgecnn.train.run import train
from edgecnn.types import Image, Values

FOLDERS: dict[str, Dataset] = {}


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


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address under which training finds the squares."""
    for module in ("run", "material"):
        monkeypatch.setattr(f"edgecnn.train.{module}.open_dataset", lambda uri, **_: FOLDERS[Path(uri).name])
    monkeypatch.setattr("edgecnn.train.material.dataset_splits", lambda uri: ())
    FOLDERS["squares"] = squares(160)
    return "squares"


def options(data: str, out: Path, **changes: Any) -> TrainOptions:
    base: dict[str, Any] = {
        "model": "lecture",
        "epochs": 12,
        "batch": 16,
        "lr": 1e-2,
        "ema": 0.9,
        "workers": 1,
        "augment": "none",
    }
    return TrainOptions(data=(data,), out=out, **{**base, **changes})


def test_from_training_to_artifacts(data: str, tmp_path: Path) -> None:
    lines: list[str] = []
    train(options(data, tmp_path / "run", hold_out=0.2), lines.append)
    model, card = load_checkpoint(tmp_path / "run/model.safetensors")
    assert (card.task, card.labels, card.outputs[0].name) == ("regress", ("brightness",), "values")
    assert card.training["scores"]["r2"] > 0.9
    assert card.training["scores"]["mae"] < 10
    assert "R²" in lines[-1]
    assert cv2.imread(str(tmp_path / "run/values.png")) is not None

    test = squares(24, start=5000)
    images = [sample.read() for sample in test.samples]
    calibration = Calibration([square(index)[0] for index in range(64)], "squares")
    for format, precision in (("onnx", "fp32"), ("onnx", "int8"), ("openvino", "fp32"), ("tflite", "int8")):
        made = export(
            model,
            card,
            tmp_path,
            format=format,
            precision=precision,
            calibration=calibration,
            verify_with=images,  # type: ignore[arg-type]
        )
        with Predictor(made.path) as predictor:
            assert predictor.card.decode.options["scale"][0] == pytest.approx(card.decode.options["scale"][0])
            assert evaluate(predictor, test).primary > 0.85, made.path


def test_checkpoint_as_a_backend(data: str, tmp_path: Path) -> None:
    train(options(data, tmp_path / "run", epochs=1), lambda _: None)
    with Predictor(tmp_path / "run/model.safetensors") as predictor:
        assert [spec.name for spec in predictor.backend.outputs] == ["values"]
        assert isinstance(predictor(square(7)[0]), Values)


def test_outputs_are_trained_at_mean_0_and_deviation_1(data: str, tmp_path: Path) -> None:
    train(options(data, tmp_path / "run", epochs=1, hold_out=0.0), lambda _: None)
    found = read_card(tmp_path / "run/model.safetensors").decode.options
    values = np.array([sample.value for sample in FOLDERS["squares"].samples])
    assert (found["scale"][0], found["offset"][0]) == (pytest.approx(values.std()), pytest.approx(values.mean()))


def test_equal_seeds_give_equal_bits(data: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(options(data, tmp_path / name, epochs=2, augment="standard"), lambda _: None)
    first, second = (read_card(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert first.sha256 == second.sha256


@pytest.mark.parametrize(
    ("values", "message"),
    [pytest.param([3.0] * 20, "20 times 3", id="all-equal"), pytest.param([1.0, None] * 10, "10 images without", id="missing")],
)
def test_values_that_teach_nothing_are_refused(data: str, tmp_path: Path, values: list[float | None], message: str) -> None:
    samples = [Sample(f"{i}.png", lambda i=i: square(i)[0], value=value) for i, value in enumerate(values)]
    FOLDERS["squares"] = Dataset("squares", "regress", ("brightness",), samples)
    with pytest.raises(InputError, match=message):
        train(options(data, tmp_path / "run", hold_out=0.0), lambda _: None)


def test_a_detector_learns_no_values(data: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a dataset to detect, found squares: regress"):
        train(options(data, tmp_path / "run", model="edgedet"), lambda _: None)


def test_the_head_gives_one_number_for_each_label() -> None:
    assert create("resnet-8", classes=2, head="regress").task == "regress"
