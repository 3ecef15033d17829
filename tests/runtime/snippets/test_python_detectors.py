"""The programs of detectors of other people print the boxes that edgecnn finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode
from edgecnn.postprocess.blazeface import LAYOUTS
from edgecnn.postprocess.cells import cell_count
from edgecnn.postprocess.ultraface import priors
from edgecnn.rotated import corners
from edgecnn.types import Array
from tests.runtime.snippets.programs import file_of, picture_of, predicted, printed

SIZE = (64, 96)
LABELS = ("a", "b", "c")
OPTIONS = {"score_threshold": 0.3, "iou_threshold": 0.4, "max_detections": 12}
Outputs = dict[str, Any]


def logits(rng: np.random.Generator, *shape: int) -> Array:
    """Mostly far below 0."""
    return rng.normal(-3, 2, shape)


def corners_in_unit(rng: np.random.Generator, count: int) -> Array:
    low = rng.random((1, count, 2)) * 0.7
    return np.concatenate([low, low + 0.05 + rng.random((1, count, 2)) * 0.3], 2)


def ssd_tflite(rng: np.random.Generator) -> Outputs:
    boxes = corners_in_unit(rng, 20)
    classes, scores = rng.integers(0, 3, (1, 20)), rng.random((1, 20))
    return {"boxes": boxes[..., [1, 0, 3, 2]], "scores": scores, "classes": classes, "count": [17.0]}


def ssd_openvino(rng: np.random.Generator) -> Outputs:
    classes, scores = rng.integers(1, 4, (1, 20, 1)), rng.random((1, 20, 1))
    rows = np.concatenate([np.zeros((1, 20, 1)), classes, scores, corners_in_unit(rng, 20)], 2)
    rows[:, 15:, 0] = -1
    return {"detections": rows[None]}


def ultraface_corners(rng: np.random.Generator) -> Outputs:
    count = len(priors(SIZE))
    face = rng.random((1, count, 1)) ** 6
    return {"scores": np.concatenate([1 - face, face], 2), "boxes": corners_in_unit(rng, count)}


def ultraface_offsets(rng: np.random.Generator) -> Outputs:
    count = len(priors(SIZE))
    return {
        "boxes": rng.normal(size=(1, count, 4)),
        "scores": np.concatenate([-logits(rng, 1, count, 1), logits(rng, 1, count, 1)], 2),
    }


def fastestdet(rng: np.random.Generator) -> Outputs:
    parts = [rng.random((1, 1, 4, 6)), rng.normal(-1, 1, (1, 4, 4, 6)), rng.random((1, 3, 4, 6))]
    return {"grid": np.concatenate(parts, 1)}


def blazeface(rng: np.random.Generator) -> Outputs:
    count = sum(each * -(-SIZE[0] // stride) * -(-SIZE[1] // stride) for stride, each in LAYOUTS[0])
    boxes = np.concatenate([rng.normal(0, 4, (1, count, 2)), 5 + rng.random((1, count, 14)) * 20], 2)
    return {"scores": logits(rng, 1, count, 1), "boxes": boxes}


def detr_sigmoid(rng: np.random.Generator) -> Outputs:
    return {"logits": logits(rng, 1, 30, 3), "boxes": corners_in_unit(rng, 30)}


def detr_softmax(rng: np.random.Generator) -> Outputs:
    return {"logits": rng.normal(0, 2, (1, 30, 4)), "pred_boxes": corners_in_unit(rng, 30)}


def nanodet(rng: np.random.Generator, strides: tuple[int, ...] = (8, 16, 32, 64)) -> Outputs:
    count = cell_count(SIZE, strides)
    return {"cells": np.concatenate([rng.random((1, count, 3)) ** 6, rng.normal(size=(1, count, 32)) * 2], 2)}


def nanodet_of_centres(rng: np.random.Generator) -> Outputs:
    return nanodet(rng, (8, 16, 32))


def yolov5(rng: np.random.Generator) -> Outputs:
    maps = {stride: rng.normal(-0.5, 1.5, (1, 3, SIZE[0] // stride, SIZE[1] // stride, 8)) for stride in (32, 8, 16)}
    return {f"map_{stride}": array for stride, array in maps.items()}


def yolov5_planes(rng: np.random.Generator) -> Outputs:
    return {name: np.moveaxis(array, 4, 2).reshape(1, 24, *array.shape[2:4]) for name, array in yolov5(rng).items()}


DETECTORS = {
    maker.__name__: maker
    for maker in (
        ssd_tflite,
        ssd_openvino,
        ultraface_corners,
        ultraface_offsets,
        fastestdet,
        blazeface,
        detr_sigmoid,
        detr_softmax,
        nanodet,
        nanodet_of_centres,
        yolov5,
        yolov5_planes,
    )
}
FACES = ("ultraface", "blazeface")


def decoder_of(name: str) -> tuple[str, tuple[str, ...]]:
    decoder = name.partition("_")[0]
    return decoder, LABELS[:1] if decoder in FACES else LABELS


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("maker", DETECTORS.values(), ids=DETECTORS)
def test_prints_what_the_predictor_finds(
    maker: Callable[[np.random.Generator], Outputs], resize: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, labels = decoder_of(maker.__name__)
    outputs = maker(np.random.default_rng(11))
    file = file_of(tmp_path, "detect", Decode(decoder, OPTIONS), labels, outputs, size=SIZE, resize=resize, gain=0.0)
    path, image = picture_of(tmp_path)
    rows = printed(file, path, monkeypatch)
    found = predicted(file, image)
    assert 3 <= len(found) == len(rows)
    assert [row[1] for row in rows] == [labels[index] for index in found.class_id]
    assert np.allclose([float(row[0]) for row in rows], found.score, atol=2e-5)
    assert np.allclose([[float(side) for side in row[2:]] for row in rows], found.xyxy, atol=0.02)


@pytest.mark.parametrize("maker", DETECTORS.values(), ids=DETECTORS)
def test_prints_nothing_where_there_is_nothing(
    maker: Callable[[np.random.Generator], Outputs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, labels = decoder_of(maker.__name__)
    options, outputs = {**OPTIONS, "score_threshold": 1.0}, maker(np.random.default_rng(11))
    file = file_of(tmp_path, "detect", Decode(decoder, options), labels, outputs, size=SIZE, gain=0.0)
    assert printed(file, picture_of(tmp_path)[0], monkeypatch) == []


@pytest.mark.parametrize("turned", [False, True], ids=["columns", "rows"])
@pytest.mark.parametrize("unit", [False, True], ids=["pixels", "0..1"])
def test_rotated_boxes(turned: bool, unit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    centre, sides = rng.random((1, 60, 2)) * SIZE[::-1], 4 + rng.random((1, 60, 2)) * 30
    boxes = np.concatenate([centre, sides], 2) / (np.tile(SIZE[::-1], 2) if unit else 1)
    table = np.concatenate([boxes, rng.random((1, 60, 3)), rng.random((1, 60, 1)) * 3], 2)
    outputs = {"rows": table if turned else table.transpose(0, 2, 1)}
    file = file_of(tmp_path, "detect", Decode("yolo-obb", OPTIONS), LABELS, outputs, size=SIZE, gain=0.0)
    path, image = picture_of(tmp_path)
    rows = printed(file, path, monkeypatch)
    found = predicted(file, image)
    assert len(found) == len(rows) == 12
    assert [row[1] for row in rows] == [LABELS[index] for index in found.class_id]
    assert np.allclose([float(row[0]) for row in rows], found.score, atol=2e-5)
    assert found.xywhr is not None
    for row, expected in zip(rows, corners(found.xywhr), strict=True):
        points = np.array([float(side) for side in row[2:]]).reshape(4, 2)
        # the predictor may begin at another corner
        apart = np.linalg.norm(points[:, None] - expected[None], axis=2)
        assert apart.min(0).max() < 0.05
        assert apart.min(1).max() < 0.05
