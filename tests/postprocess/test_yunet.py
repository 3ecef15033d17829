"""YuNet, decoded here and by OpenCV's own FaceDetectorYN."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess import decode
from edgecnn.types import Detections

SIDE = 64
WIDTHS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def card(**options: object) -> ModelCard:
    return ModelCard(
        name="f", task="detect", labels=("face",), preprocess=Preprocess((SIDE, SIDE)), decode=Decode("yunet", options)
    )


def outputs() -> dict[str, np.ndarray]:
    return {
        f"{name}_{s}": np.zeros((1, (SIDE // s) ** 2, width), np.float32) for s in (8, 16, 32) for name, width in WIDTHS.items()
    }


def test_a_box_by_hand() -> None:
    raw = outputs()
    raw["cls_16"][0, 6], raw["obj_16"][0, 6] = 0.9, 0.4  # second row, third column
    raw["bbox_16"][0, 6] = [0.5, 0.25, np.log(2), 0]
    found = decode(raw, card(score_threshold=0.5))
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.score, [0.6], rtol=1e-6)
    np.testing.assert_allclose(found.xyxy, [[40 - 16, 20 - 8, 40 + 16, 20 + 8]], rtol=1e-6)


def test_an_output_that_is_missing_is_named() -> None:
    raw = outputs()
    del raw["obj_32"]
    with pytest.raises(ArtifactError, match="yunet needs cls, obj and bbox"):
        decode(raw, card())


def test_boxes_are_those_of_opencv(tmp_path: Path) -> None:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

    path = tmp_path / "faces.onnx"
    write_network(path)
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    _, theirs = cv2.FaceDetectorYN.create(str(path), "", (SIDE, SIDE), 0.5, 1.0, 5000).detect(image)
    options = CardOptions(score_threshold=0.5, iou_threshold=1.0)
    with Predictor(path, options=options) as predictor:  # recognized by its outputs
        found = predictor(image)
    assert isinstance(found, Detections)
    assert len(found) == len(theirs) > 20
    theirs = theirs[np.argsort(-theirs[:, 14], kind="stable")]
    np.testing.assert_allclose(found.score, theirs[:, 14], atol=1e-5)
    xyxy = np.hstack([theirs[:, :2], theirs[:, :2] + theirs[:, 2:4]]).clip(0, SIDE)
    np.testing.assert_allclose(found.xyxy, xyxy, atol=1e-2)


def write_network(path: Path) -> None:
    """A mean of each cell, a random 1x1 convolution for each output."""
    onnx = pytest.importorskip("onnx")
    rng, helper, number = np.random.default_rng(0), onnx.helper, onnx.TensorProto.FLOAT
    nodes, weights, results = [], [], []
    for stride in (8, 16, 32):
        nodes.append(
            helper.make_node("AveragePool", ["image"], [f"mean_{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2)
        )
        for name, width in WIDTHS.items():
            key, spread = f"{name}_{stride}", 0.1 if width == 1 else 0.01
            weights += [
                onnx.numpy_helper.from_array(rng.normal(0, spread, (width, 3, 1, 1)).astype(np.float32), f"w_{key}"),
                onnx.numpy_helper.from_array(np.array([1, -1, width]), f"shape_{key}"),
            ]
            nodes.append(helper.make_node("Conv", [f"mean_{stride}", f"w_{key}"], [f"map_{key}"]))
            last = f"map_{key}"
            if width == 1:
                nodes.append(helper.make_node("Sigmoid", [last], [f"p_{key}"]))
                last = f"p_{key}"
            nodes.append(helper.make_node("Transpose", [last], [f"t_{key}"], perm=[0, 2, 3, 1]))
            nodes.append(helper.make_node("Reshape", [f"t_{key}", f"shape_{key}"], [key]))
            results.append(helper.make_tensor_value_info(key, number, [1, (SIDE // stride) ** 2, width]))
    image = helper.make_tensor_value_info("image", number, [1, 3, SIDE, SIDE])
    graph = helper.make_graph(nodes, "faces", [image], results, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8), path)
