from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.metrics.estimate import Interval
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.collapse.causes import CollapseCause, ImageComparison, find_causes
from edgecnn.trust.collapse.watch import OutputWatch
from tests.contracts.tiny import Graph, write

KINDS = ["onnx", "openvino", "tflite"]
CELLS = 84  # of 64 x 64 pixels
LABELS = "dark,grey,bright"


def levels(*values: int, size: int = 64) -> list[np.ndarray]:
    return [np.full((size, size, 3), value, np.uint8) for value in values]


def causes(
    path: Path, images: list[np.ndarray], compared: ImageComparison | None = None, labels: str = LABELS
) -> list[CollapseCause]:
    options = CardOptions(color="rgb", mean=(0.0,), std=(1.0,), labels=Path(labels))
    with Predictor(path, options=options) as predictor:
        watch = OutputWatch(predictor)
        for image in images:
            watch.add(image)
        return find_causes(watch, compared)


def file(folder: Path, kind: str, shape: tuple[int, ...], quantized: tuple[float, int] | None, gain: float = 0.01) -> Path:
    size = (1, 64, 64, 3) if kind == "tflite" else (1, 3, 64, 64)
    rows = (
        np.linspace(0, 40, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        if len(shape) == 3
        else np.zeros(shape, np.float32)
    )
    return write(folder, kind, Graph({"o": rows}, size, "float32", gain, {}, {} if quantized is None else {"o": quantized}))


@pytest.mark.parametrize("kind", KINDS)
def test_one_scale_for_boxes_and_scores_is_named(kind: str, tmp_path: Path) -> None:
    (found,) = causes(file(tmp_path, kind, (1, CELLS, 7), (0.5, -100)), levels(20, 120, 220), labels="a,b")
    assert (found.name, found.fatal) == ("shared-scale", True)
    assert "steps of 0.5 (read from the file)" in found.words


@pytest.mark.parametrize("quantized", [None, (0.05, -100)])
def test_fine_steps_and_float_outputs_are_not_blamed(quantized: tuple[float, int] | None, tmp_path: Path) -> None:
    assert causes(file(tmp_path, "onnx", (1, CELLS, 7), quantized), levels(20, 120, 220), labels="a,b") == []


def test_a_dead_file_is_named(tmp_path: Path) -> None:
    (found,) = causes(file(tmp_path, "onnx", (1, 3), None, gain=0.0), levels(20, 120))
    assert found.name == "constant"


def lost_at_the_input(path: Path) -> Path:
    """One step of the input's scale is 1,000 grey levels; what is left is -3, 1, 2.5, and the output's range ends at -3 and 2.5."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, pytest.importorskip("onnx.numpy_helper")
    numbers = {
        "wide": np.float32(1000), "zero": np.uint8(0), "fine": np.float32(5.5 / 255), "middle": np.uint8(139),
        "shape": np.array([1, 1]), "weight": np.float32([[1, 2, 3]]), "bias": np.float32([[-3, 1, 2.5]]),
    }  # fmt: skip
    steps = (
        ("QuantizeLinear", ["image", "wide", "zero"], "seen", {}),
        ("DequantizeLinear", ["seen", "wide", "zero"], "real", {}),
        ("ReduceMean", ["real"], "mean", {"axes": [1, 2, 3], "keepdims": 0}),
        ("Reshape", ["mean", "shape"], "column", {}),
        ("MatMul", ["column", "weight"], "product", {}),
        ("Add", ["product", "bias"], "logits", {}),
        ("QuantizeLinear", ["logits", "fine", "middle"], "codes", {}),
        ("DequantizeLinear", ["codes", "fine", "middle"], "output", {}),
    )
    nodes = [helper.make_node(kind, inputs, [output], **more) for kind, inputs, output, more in steps]
    ports = [helper.make_tensor_value_info(*row) for row in (("image", 1, (1, 3, 64, 64)), ("output", 1, (1, 3)))]
    fixed = [numpy_helper.from_array(np.asarray(array), name) for name, array in numbers.items()]
    graph = helper.make_graph(nodes, "lost", ports[:1], ports[1:], fixed)
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def test_what_saturates_behind_the_place_where_the_images_are_lost_is_not_the_cause(tmp_path: Path) -> None:
    (found,) = causes(lost_at_the_input(tmp_path / "lost.onnx"), levels(20, 120, 220))
    assert (found.name, found.evidence["tensor"]) == ("constant", "seen")
    assert "from seen (0 to 2.55e+05) on nothing differs" in found.words


def compared(*agreement: float, share: float = 0.33) -> ImageComparison:
    return ImageComparison([0, 0, 1, 1, 2, 2], agreement, share, Interval(share - 0.1, share + 0.1), 0.3, LABELS.split(","))


@pytest.mark.parametrize("kind", KINDS)
def test_calibration_on_one_class_is_named_with_the_class(kind: str, tmp_path: Path) -> None:
    """The output holds -64 to 63.5, so it is cut where the mean of the image is above."""
    path = file(tmp_path, kind, (1, 3), (0.5, 0), gain=1.0)
    (found,) = causes(path, levels(20, 40, 100, 120, 200, 220), compared(1, 1, 0, 0, 0, 0))
    assert (found.name, found.evidence["class"], found.fatal) == ("one-class-calibration", "dark", True)


@pytest.mark.parametrize("kind", KINDS)
def test_saturation_of_all_classes_is_named(kind: str, tmp_path: Path) -> None:
    (found,) = causes(file(tmp_path, kind, (1, 3), (0.5, 0), gain=1.0), levels(50, 80, 100, 120, 200, 220), compared(*[0.2] * 6))
    assert found.name == "saturation"
    assert "(-64 to 63.5) 83%" in found.words


def test_a_file_that_agrees_is_not_blamed_for_saturation(tmp_path: Path) -> None:
    path = file(tmp_path, "onnx", (1, 3), (0.5, 0), gain=1.0)
    good = ImageComparison([0] * 6, [1.0] * 6, 1.0, Interval(0.99, 1.0), 0.01, ())
    assert causes(path, levels(50, 80, 100, 120, 200, 220), good) == []


def test_what_nothing_explains_is_inside(tmp_path: Path) -> None:
    (found,) = causes(
        file(tmp_path, "onnx", (1, 3), (1.0, -128), gain=0.5), levels(20, 40, 100, 120, 200, 220), compared(*[0.1] * 6)
    )
    assert found.name == "inside"
