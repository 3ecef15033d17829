"""Raw maps of YOLOv5 against a computation anchor by anchor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess import decode
from edgecnn.postprocess.yolov5 import ANCHORS
from edgecnn.runtime.model.tensor_shapes import class_count, identify_detector
from edgecnn.types import Array, Detections, TensorSpec

SIZE, CLASSES = (64, 96), 2
GRIDS = {8: (8, 12), 16: (4, 6), 32: (2, 3)}


def card(**options: Any) -> ModelCard:
    given = {"score_threshold": 0.2, "iou_threshold": 1.0, "max_detections": 10_000, **options}
    return ModelCard(name="t", task="detect", labels=("a", "b"), preprocess=Preprocess(SIZE), decode=Decode("yolov5", given))


def raw_maps() -> dict[int, Array]:
    rng = np.random.default_rng(0)
    return {stride: rng.normal(-0.5, 1.5, (1, 3, *grid, 5 + CLASSES)).astype(np.float32) for stride, grid in GRIDS.items()}


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def expected(maps: dict[int, Array]) -> list[list[float]]:
    rows = []
    for stride, (height, width) in GRIDS.items():
        for anchor, (wide, high) in enumerate(ANCHORS[stride]):
            for row in range(height):
                for column in range(width):
                    x, y, w, h, likely, *scores = (sigmoid(float(one)) for one in maps[stride][0, anchor, row, column])
                    middle = (x * 2 - 0.5 + column) * stride, (y * 2 - 0.5 + row) * stride
                    half = (w * 2) ** 2 * wide / 2, (h * 2) ** 2 * high / 2
                    best = max(scores) * likely
                    if best >= 0.2:
                        corners = [middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]]
                        rows.append([best, float(np.argmax(scores)), *corners])
    return sorted(rows, reverse=True)


@pytest.mark.parametrize("flat", [False, True])
def test_every_anchor_of_every_cell(flat: bool) -> None:
    maps = raw_maps()
    outputs = {f"map{stride}": maps[stride] for stride in (16, 32, 8)}  # the order does not matter
    if flat:
        outputs = {name: np.moveaxis(one, -1, 2).reshape(1, -1, *one.shape[2:4]) for name, one in outputs.items()}
    found = decode(outputs, card())
    assert isinstance(found, Detections)
    got = np.concatenate([found.score[:, None], found.class_id[:, None], found.xyxy], 1)
    np.testing.assert_allclose(got, expected(maps), rtol=1e-4, atol=1e-3)


def test_other_maps_are_refused() -> None:
    maps = {f"map{stride}": one for stride, one in raw_maps().items()}
    with pytest.raises(ArtifactError, match=r"three maps \(1, 3, h, w, 7\) of 8x12, 4x6, 2x3"):
        decode({**maps, "map8": maps["map16"]}, card())


def test_a_file_is_recognised_by_its_shapes() -> None:
    specs = [TensorSpec(f"o{index}", (1, 3, *grid, 85), "float32") for index, grid in enumerate(GRIDS.values())]
    assert identify_detector(specs, SIZE, None) == "yolov5"
    assert class_count("yolov5", specs, SIZE) == 80
