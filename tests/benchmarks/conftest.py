"""Tiny real models for the benchmark's tests: a classifier and a detector in ONNX with their cards inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.types import TensorSpec

SIZE = 64
LABELS = ("mug", "glass", "bowl", "plate")


def _save(path: Path, nodes: list[Any], weights: dict[str, np.ndarray], outputs: dict[str, list[int]], card: ModelCard) -> Path:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    onnx.save(model, path)
    return path


def _card(name: str, decode: Decode, labels: tuple[str, ...], precision: str = "fp32") -> ModelCard:
    return ModelCard(
        name=name,
        task="detect" if decode.name == "fcos" else "classify",
        labels=labels,
        preprocess=Preprocess((SIZE, SIZE), color="bgr", input_dtype="uint8"),
        decode=decode,
        inputs=(TensorSpec("image", (1, SIZE, SIZE, 3), "uint8", "NHWC"),),
        precision=precision,
    )


def make_classifier(path: Path, labels: tuple[str, ...] = LABELS, precision: str = "fp32") -> Path:
    """Mean colour, then one dense layer: logits (1, C)."""
    node = pytest.importorskip("onnx").helper.make_node
    random = np.random.default_rng(0)
    nodes = [
        node("Cast", ["image"], ["real"], to=1),
        node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=0),
        node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    weights = {"weight": random.normal(size=(3, len(labels))).astype(np.float32)}
    card = _card("tiny-classifier", Decode("softmax"), labels, precision)
    return _save(path, nodes, weights, {"logits": [1, len(labels)]}, card)


def make_detector(path: Path, precision: str = "fp32") -> Path:
    """One convolution a stride, boxes (1, N, 4) and scores (1, N, C) as the fcos decoder wants them."""
    node = pytest.importorskip("onnx").helper.make_node
    random = np.random.default_rng(0)
    nodes = [node("Cast", ["image"], ["real"], to=1), node("Transpose", ["real"], ["chw"], perm=[0, 3, 1, 2])]
    weights = {"shape": np.array([1, 4 + len(LABELS), -1], np.int64), "split": np.array([4, len(LABELS)], np.int64)}
    for stride in (8, 16, 32):
        weights[f"w{stride}"] = random.normal(scale=0.001, size=(4 + len(LABELS), 3, stride, stride)).astype(np.float32)
        nodes.append(node("Conv", ["chw", f"w{stride}"], [f"map{stride}"], strides=[stride, stride]))
        nodes.append(node("Reshape", [f"map{stride}", "shape"], [f"cells{stride}"]))
    cells = sum((SIZE // stride) ** 2 for stride in (8, 16, 32))
    nodes += [
        node("Concat", ["cells8", "cells16", "cells32"], ["all"], axis=2),
        node("Transpose", ["all"], ["rows"], perm=[0, 2, 1]),
        node("Split", ["rows", "split"], ["distance", "logit"], axis=2),
        node("Relu", ["distance"], ["boxes"]),
        node("Sigmoid", ["logit"], ["scores"]),
    ]
    decode = Decode("fcos", {"strides": [8, 16, 32], "score_threshold": 0.05, "iou_threshold": 0.6, "max_detections": 20})
    outputs = {"boxes": [1, cells, 4], "scores": [1, cells, len(LABELS)]}
    return _save(path, nodes, weights, outputs, _card("tiny-detector", decode, LABELS, precision))


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("models") / "tiny-fp32.onnx")


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("models") / "boxes-fp32.onnx")
