"""NMS in the graph of each format keeps the boxes that NMS in NumPy keeps."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export.config import FORMATS, SUFFIXES, GraphOptions
from edgecnn.export.graph import Deployable
from edgecnn.export.nms.attach import NAMES, save_program
from edgecnn.export.quiet import quiet
from edgecnn.postprocess.final_boxes import final_boxes, final_decode
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress
from edgecnn.runtime.backends import open_backend
from edgecnn.types import Array

ROWS, CLASSES, SIDE = 12, 3, 32
OPTIONS = {"score_threshold": 0.3, "iou_threshold": 0.5, "max_detections": ROWS}


class FixedBoxes(nn.Module):
    """Boxes and scores that do not depend on the image, but for its brightness, which scales the scores."""

    boxes: Tensor
    scores: Tensor

    def __init__(self, boxes: Array, scores: Array) -> None:
        super().__init__()
        self.register_buffer("boxes", torch.from_numpy(boxes)[None])
        self.register_buffer("scores", torch.from_numpy(scores)[None])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        bright = x.mean((1, 2, 3)).reshape(1, 1, 1) / 255
        return {"all_boxes": self.boxes + 0 * bright, "all_scores": self.scores * bright}


def clusters(seed: int, groups: int) -> tuple[Array, Array]:
    """Groups of boxes that overlap, each box of any class; far outside and empty ones, too."""
    rng = np.random.default_rng(seed)
    low = np.repeat(rng.random((groups, 2)) * 24, 9, axis=0) + rng.random((groups * 9, 2)) * 2
    boxes = np.concatenate([low, low + 4 + rng.random((groups * 9, 2)) * 4], 1)
    boxes[0], boxes[1] = [-500, -400, 900, 800], [5, 5, 5, 5]
    return boxes.astype(np.float32), (rng.random((groups * 9, CLASSES)) ** 2).astype(np.float32)


@pytest.mark.parametrize("format", ["onnx", "openvino", "tflite"])
@pytest.mark.parametrize(("groups", "class_agnostic"), [(6, False), (1, False), (6, True)])
def test_the_graph_keeps_the_same_boxes(format: str, groups: int, class_agnostic: bool, tmp_path: Path) -> None:
    boxes, scores = clusters(groups, groups)
    card = ModelCard(
        name="fixed",
        task="detect",
        labels=("a", "b", "c"),
        preprocess=Preprocess(size=(SIDE, SIDE), color="bgr"),
        decode=final_decode(Decode("yolo", {**OPTIONS, "class_agnostic": class_agnostic})),
    )
    graph = Deployable(FixedBoxes(boxes, scores), card.preprocess, NAMES, GraphOptions(nms=True)).eval()
    image = torch.full((1, SIDE, SIDE, 3), 255, dtype=torch.uint8)
    path = tmp_path / f"fixed{SUFFIXES[format]}"
    with quiet():
        save_program(import_module(FORMATS[format]).convert(graph, image), path, format, card)
    backend = open_backend(path)
    try:
        assert {spec.name: (spec.shape, spec.dtype) for spec in backend.outputs} == {
            "boxes": ((1, ROWS, 4), "float32"),
            "scores": ((1, ROWS), "float32"),
            "classes": ((1, ROWS), "int32"),
            "count": ((1,), "int32"),
        }
        for brightness in (255, 160, 0):
            feeds = {backend.inputs[0].name: np.full((1, SIDE, SIDE, 3), brightness, np.uint8)}
            _check(backend.run(feeds), boxes, scores * np.float32(brightness / 255), card)
    finally:
        backend.close()


def _check(outputs: dict[str, Any], boxes: Array, scores: Array, card: ModelCard) -> None:
    kept, label, score = best_class(scores, 0.3)
    expected = suppress(boxes[kept], score, label, NmsOptions.from_card(card.decode.options))
    got = final_boxes(outputs, card)
    assert int(outputs["count"][0]) == len(expected)
    assert got.class_id.tolist() == expected.class_id.tolist()
    assert np.allclose(got.score, expected.score, atol=1e-6)
    assert np.allclose(got.xyxy, expected.xyxy, atol=1e-4)
    for name in ("boxes", "scores", "classes"):
        assert not outputs[name][0, len(expected) :].any()
