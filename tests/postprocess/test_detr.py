"""DETR and NanoDet against computations query by query and cell by cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess import decode
from edgecnn.postprocess.cells import cell_count
from edgecnn.types import Detections

SIZE = (64, 96)  # height, width
LABELS = ("a", "b", "c")


def card(decoder: str, labels: tuple[str, ...] = LABELS, **options: Any) -> ModelCard:
    given = {"score_threshold": 0.0, "iou_threshold": 1.0, "max_detections": 10_000, **options}
    return ModelCard(name="t", task="detect", labels=labels, preprocess=Preprocess(SIZE), decode=Decode(decoder, given))


def rows(prediction: object) -> list[tuple[float, ...]]:
    """Score, class and corners of each box, rounded, in the order of their scores."""
    assert isinstance(prediction, Detections)
    parts = zip(prediction.score, prediction.class_id, prediction.xyxy, strict=True)
    return [(round(float(score), 4), int(number), *np.round(box, 2).tolist()) for score, number, box in parts]


def corners(box: Any) -> list[float]:
    x, y, width, height = (float(part) for part in box)
    height_in, width_in = SIZE
    return [(x - width / 2) * width_in, (y - height / 2) * height_in, (x + width / 2) * width_in, (y + height / 2) * height_in]


def inputs(columns: int, queries: int = 7) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(0, 2, (1, queries, columns)).astype(np.float32), rng.random((1, queries, 4), np.float32)


def check(found: list[tuple[float, ...]], expected: list[tuple[float, ...]]) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, sorted(expected, key=lambda row: -row[0]), atol=0.02)


def test_a_detr_with_a_sigmoid_for_each_class() -> None:
    """RT-DETR: each class of each query is a box of its own."""
    logits, boxes = inputs(3)
    expected = [
        (1 / (1 + math.exp(-logits[0, query, number])), number, *corners(boxes[0, query]))
        for query in range(7)
        for number in range(3)
    ]
    check(rows(decode({"logits": logits, "pred_boxes": boxes}, card("detr"))), expected)


def test_scores_that_are_probabilities_get_no_second_sigmoid() -> None:
    logits, boxes = inputs(3)
    plain = decode({"logits": logits, "pred_boxes": boxes}, card("detr"))
    probabilities = 1 / (1 + np.exp(-logits))
    assert rows(decode({"scores": probabilities, "boxes": boxes}, card("detr"))) == rows(plain)


def test_a_detr_with_a_class_for_no_object() -> None:
    """DETR: a softmax over the classes and "no object"; the best class of each query."""
    logits, boxes = inputs(4)
    expected = []
    for query in range(7):
        powers = [math.exp(value) for value in logits[0, query]]
        score = [power / sum(powers) for power in powers[:3]]
        expected.append((max(score), score.index(max(score)), *corners(boxes[0, query])))
    check(rows(decode({"pred_boxes": boxes, "logits": logits}, card("detr"))), expected)


def test_with_four_classes_the_name_says_which_output_are_boxes() -> None:
    logits, boxes = inputs(4)
    four = card("detr", ("a", "b", "c", "d"))
    assert rows(decode({"pred_boxes": boxes, "logits": logits}, four)) == rows(decode({"logits": logits, "boxes": boxes}, four))


def test_thresholds_limit_a_detr() -> None:
    logits, boxes = inputs(3)
    outputs = {"logits": logits, "boxes": boxes}
    whole = rows(decode(outputs, card("detr")))
    assert rows(decode(outputs, card("detr", score_threshold=0.5))) == [row for row in whole if row[0] >= 0.5]
    assert rows(decode(outputs, card("detr", max_detections=3))) == whole[:3]


@pytest.mark.parametrize(("strides", "origin"), [((8, 16, 32, 64), 0.0), ((8, 16, 32), 0.5)])
def test_nanodet(strides: tuple[int, ...], origin: float) -> None:
    rng, count = np.random.default_rng(1), cell_count(SIZE, strides)
    output = np.concatenate([rng.random((1, count, 3)), rng.normal(0, 2, (1, count, 32))], axis=2).astype(np.float32)
    expected, index = [], 0
    for stride in strides:
        for row in range(math.ceil(SIZE[0] / stride)):
            for column in range(math.ceil(SIZE[1] / stride)):
                scores, sides = output[0, index, :3], []
                for side in range(4):
                    powers = [math.exp(value) for value in output[0, index, 3 + 8 * side : 11 + 8 * side]]
                    sides.append(sum(place * power for place, power in enumerate(powers)) / sum(powers) * stride)
                x, y = (column + origin) * stride, (row + origin) * stride
                box = (x - sides[0], y - sides[1], x + sides[2], y + sides[3])
                expected.append((float(scores.max()), int(scores.argmax()), *box))
                index += 1
    check(rows(decode({"output": output}, card("nanodet"))), expected)


@pytest.mark.parametrize("decoder", ["detr", "nanodet"])
def test_other_outputs_are_refused(decoder: str) -> None:
    with pytest.raises(ArtifactError, match=f"the decoder {decoder} needs"):
        decode({"x": np.zeros((1, 5, 9), np.float32), "y": np.zeros((1, 5, 4), np.float32)}, card(decoder))
