"""Models with several inputs: exported, verified, run, measured by their tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.errors import InputError, SourceError
from edgecnn.export.config import ExportConfig, GraphOptions, InputTensor, ModelOptions
from edgecnn.export.run import run_exports
from edgecnn.export.source import load_model
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.sources.tensors import TensorFiles
from edgecnn.types import RawTensors

INPUTS = (InputTensor((1, 3, 16, 16)), InputTensor((1, 6)))


class Driver(nn.Module):
    """A view and a vector in, a vector and a map out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.look, self.state, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(6, 8), nn.Linear(16, 2)

    def forward(self, view: Tensor, state: Tensor) -> dict[str, Tensor]:
        """Two heads."""
        seen = self.look(view).relu()
        return {"steer": self.head(torch.cat([seen.mean((2, 3)), self.state(state).relu()], 1)), "seen": seen}


class Difference(nn.Module):
    """Two inputs of one shape, whose order matters."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Left minus right, twice."""
        return (left - right) * 2


def config(out: Path, data: Path, **more: Any) -> ExportConfig:
    options = ModelOptions(card=CardOptions(task="raw"), input_tensors=INPUTS)
    given = {"model": f"{__name__}:Driver", "model_options": options, "calibration": str(data), "force_calibration": True}
    return ExportConfig(**{**given, "out": out, **more})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for index in range(24):
        state = random.standard_normal(6).astype(np.float32)
        np.savez(folder / f"{index}.npz", view=random.random((1, 3, 16, 16), np.float32), state=state)
    return folder


@pytest.fixture(scope="module")
def artifacts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = run_exports(config(tmp_path_factory.mktemp("out"), data, formats=("onnx",), precisions=("fp32", "int8")))
    return {artifact.card.precision: artifact.path for artifact in made}


def test_both_heads_are_those_of_pytorch(artifacts: dict[str, Path], data: Path) -> None:
    stored = np.load(data / "3.npz")
    expected = Driver()(torch.from_numpy(stored["view"]), torch.from_numpy(stored["state"][None]))
    backend = open_backend(artifacts["fp32"])
    found = backend.run({"view": stored["view"], "state": stored["state"][None]})
    backend.close()
    assert {*found} == {"steer", "seen"}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_file_tests_itself(artifacts: dict[str, Path], precision: str) -> None:
    card, result = selftest_file(artifacts[precision])
    assert not result.violations
    assert [row.kind for row in result.rows] == ["real", "black"]
    assert card.parity["passed"] is True
    assert card.parity["real_inputs"].startswith("others of data")
    assert [spec.name for spec in card.inputs] == ["view", "state"]


def test_files_of_tensors_are_a_source(artifacts: dict[str, Path], data: Path, tmp_path: Path) -> None:
    (tmp_path / "10.npz").write_bytes((data / "3.npz").read_bytes())
    (tmp_path / "2.npz").write_bytes(b"nothing")
    with Predictor(artifacts["fp32"]) as predictor, open_source(str(tmp_path)) as source:
        assert isinstance(source, TensorFiles)
        source.fit(predictor.card)
        results = [predictor(frame.image) for frame in source]
        assert [failure.name for failure in source.failures] == ["2.npz"]
        with pytest.raises(InputError, match="takes tensors"):
            predictor(np.zeros((48, 64, 3), np.uint8))
    assert isinstance(results[0], RawTensors)
    assert results[0].tensors["steer"].shape == (1, 2)


def test_a_source_without_a_readable_file_is_one_line(artifacts: dict[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    with Predictor(artifacts["fp32"]) as predictor, open_source(str(tmp_path / "a.npy")) as source:
        assert isinstance(source, TensorFiles)
        source.fit(predictor.card)
        with pytest.raises(SourceError, match="holds one array, but the model takes view, state"):
            list(source)


@pytest.mark.parametrize("format", ["tflite", "openvino"])
def test_inputs_of_one_shape_keep_their_order(format: str, tmp_path: Path) -> None:
    options = ModelOptions(card=CardOptions(task="raw"), input_tensors=(InputTensor((1, 4)), InputTensor((1, 4))))
    (artifact,) = run_exports(
        ExportConfig(model=f"{__name__}:Difference", formats=(format,), out=tmp_path, model_options=options)
    )
    backend = open_backend(artifact.path)
    found = backend.run({"right": np.ones((1, 4), np.float32), "left": np.full((1, 4), 3, np.float32)})
    backend.close()
    assert found["output_0"].tolist() == [[4, 4, 4, 4]]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"input_tensors": INPUTS[:1]}, r"--input: 1 given, but the model takes 2 \(view, state\)", id="too-few"),
        pytest.param({"input_tensors": (*INPUTS, INPUTS[1])}, "3 given, but the model takes 2", id="too-many"),
        pytest.param(
            {"input_tensors": (InputTensor((1, 6), "a"), InputTensor((1, 6), "a"))},
            "the names a, a are not different",
            id="names",
        ),
        pytest.param({"card": CardOptions(task="classify")}, "--task classify needs one image as its input", id="task"),
        pytest.param({"card": CardOptions(task="raw", color="bgr")}, "--color can't be used with a model of tensors", id="color"),
    ],
)
def test_what_does_not_fit_is_one_line(more: dict[str, Any], said: str) -> None:
    given = {"card": CardOptions(task="raw"), "input_tensors": INPUTS, **more}
    with pytest.raises(InputError, match=said):
        load_model(f"{__name__}:Driver", ModelOptions(**given))


def test_an_image_model_that_takes_more_says_so(data: Path, tmp_path: Path) -> None:
    options = ModelOptions(card=CardOptions(task="raw"), input_shape=(1, 3, 16, 16))
    with pytest.raises(InputError, match=r"the model takes 2 inputs \(view, state\), not one image; give --task raw"):
        run_exports(ExportConfig(model=f"{__name__}:Driver", out=tmp_path, formats=("onnx",), model_options=options))
    with pytest.raises(InputError, match="keeps its inputs as they are"):
        run_exports(config(tmp_path, data, formats=("onnx",), graph=GraphOptions(layout="nchw")))
    wrong = ModelOptions(card=CardOptions(task="raw"), input_tensors=(INPUTS[0], InputTensor((1, 7))))
    with pytest.raises(InputError, match="does not accept the inputs view 1x3x16x16, state 1x7"):
        run_exports(ExportConfig(model=f"{__name__}:Driver", out=tmp_path, formats=("onnx",), model_options=wrong))
    assert not list(tmp_path.iterdir())
