"""Files with another input: planes, floats, batches, free axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.cli.export import command
from edgecnn.errors import InputError
from edgecnn.export import Calibration, OutOfToleranceError, evidence_of, export, prepare
from edgecnn.export.config import ExportConfig, GraphOptions
from edgecnn.export.verify.reference import Evidence
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.types import Image

Network = tuple[nn.Module, ModelCard]


def made(network: Network, images: list[Image], out: Path, format: str, precision: Any = "fp32", **options: Any) -> Path:
    """The exported and verified file; ``calibration`` may be among the options."""
    calibration = options.pop("calibration", None)
    prepared = prepare(*network, "fp32", GraphOptions(**options))
    evidence = evidence_of(prepared, images, "blocks")
    artifact = export(
        prepared, network[1], out, format=format, precision=precision, calibration=calibration, verify_with=evidence
    )
    card, result = selftest_file(artifact.path)
    assert not result.violations
    assert card.inputs[0].shape == artifact.card.inputs[0].shape
    return artifact.path


CASES = [
    pytest.param("onnx", "int8", {"layout": "nchw"}, (1, 3, 32, 32), "uint8", id="planes"),
    pytest.param("onnx", "int8", {"input_dtype": "float32"}, (1, 32, 32, 3), "float32", id="float"),
    pytest.param("onnx", "int8", {"batch": 5}, (5, 32, 32, 3), "uint8", id="batch"),
    pytest.param("onnx", "int8", {"batch": -1}, (-1, 32, 32, 3), "uint8", id="any-batch"),
    pytest.param("openvino", "fp32", {"batch": -1, "input_dtype": "float32"}, (-1, 32, 32, 3), "float32", id="openvino"),
    pytest.param(
        "tflite", "int8", {"batch": 2, "layout": "nchw", "input_dtype": "float32"}, (2, 3, 32, 32), "float32", id="tflite"
    ),
]


@pytest.mark.parametrize(("format", "precision", "options", "shape", "dtype"), CASES)
def test_the_file_takes_the_chosen_input_and_predicts_as_before(
    format: str,
    precision: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    dtype: str,
    classifier: Network,
    classifier_evidence: Evidence,
    images: list[Image],
    calibration: Calibration,
    tmp_path: Path,
) -> None:
    path = made(classifier, images, tmp_path, format, precision, calibration=calibration, **options)
    backend = open_backend(path)
    assert (backend.inputs[0].shape, backend.inputs[0].dtype) == (shape, dtype)
    backend.close()
    with Predictor(path) as predictor:
        assert predictor.card.preprocess.color == ("rgb" if dtype == "float32" else "bgr")
        for image, expected in zip(images[:3], classifier_evidence.outputs, strict=False):
            found, right = predictor(image), expected.prediction
            assert np.allclose(found.score, right.score, atol=0.02)  # type: ignore[union-attr]


def test_a_free_size_runs_at_another_size(detector: Network, images: list[Image], tmp_path: Path) -> None:
    path = made(detector, images, tmp_path, "onnx", dynamic_size=True)
    with Predictor(path) as small, Predictor(path, options=CardOptions(size=(128, 192))) as large:
        assert small.backend.inputs[0].shape == (1, -1, -1, 3)
        image = np.full((128, 192, 3), 120, np.uint8)
        image[32:96, 40:120] = (30, 30, 220)
        found = large(image)
        assert len(found) > len(small(image)) > 0  # type: ignore[arg-type]


def test_a_batch_whose_rows_depend_on_each_other_is_not_kept(classifier: Network, images: list[Image], tmp_path: Path) -> None:
    prepared = prepare(*classifier, "fp32", GraphOptions(batch=3))
    evidence = evidence_of(prepared, images, "blocks")
    whole = prepared.graph.model

    class Mixed(nn.Module):
        """Gives every image the results of its neighbour in the batch."""

        def forward(self, x: Any) -> Any:
            return whole(x).roll(1, 0)

    prepared.graph.model = Mixed()
    with pytest.raises(OutOfToleranceError):
        export(prepared, classifier[1], tmp_path, format="onnx", verify_with=evidence)
    assert not list(tmp_path.iterdir())


def test_another_opset(classifier: Network, images: list[Image], tmp_path: Path, calibration: Calibration) -> None:
    onnx = pytest.importorskip("onnx")
    path = made(classifier, images, tmp_path, "onnx", "int8", calibration=calibration, opset=21)
    model = onnx.load(path)
    assert {entry.version for entry in model.opset_import if not entry.domain} == {21}
    # ONNX Runtime 1.19 needs the zero-points of a Gemm's weights
    weights = {node.input[1] for node in model.graph.node if node.op_type == "Gemm"}
    assert weights
    assert all(len(node.input) == 3 for node in model.graph.node if set(node.output) & weights)


class OneImageOnly(nn.Module):
    """A head that is written for one image."""

    def forward(self, x: Any) -> Any:
        return x.mean((2, 3)).reshape(1, 3)


def test_a_model_for_one_image_is_refused_with_a_batch(classifier: Network) -> None:
    with pytest.raises(InputError, match=r"does not accept a 4x3x32x32 .*leave out --batch"):
        prepare(OneImageOnly(), classifier[1], "fp32", GraphOptions(batch=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "hwc"}, "--layout: 'hwc' is not one of nhwc, nchw"),
        ({"input_dtype": "int8"}, "--input-dtype: 'int8' is not one of uint8, float32"),
        ({"batch": 0}, "--batch: 0 is not 1 to 1024"),
        ({"opset": 9}, "--opset: 9 is not 13 to 23"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GraphOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": -1}, "--batch dynamic is not possible in tflite"),
        ({"dynamic_size": True}, "--dynamic-size is not possible in tflite"),
    ],
)
def test_formats_with_fixed_shapes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExportConfig(model="cups", graph=GraphOptions(**options))


def test_the_command_names_a_wrong_batch() -> None:
    result = CliRunner().invoke(command, ["cups", "--batch", "many"])
    assert result.exit_code == 2
    assert "'many' is neither a number of images nor dynamic" in result.output
