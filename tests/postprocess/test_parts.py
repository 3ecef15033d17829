from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.postprocess.parts import SEEN, output_parts

SIZE = 64
CELLS = 84


def card(decoder: str) -> ModelCard:
    return ModelCard(
        name="net", task="detect", labels=("a", "b"), preprocess=Preprocess(size=(SIZE, SIZE)), decode=Decode(decoder)
    )


@pytest.mark.parametrize(
    ("decoder", "shape", "has_objectness"),
    [
        ("yolo", (1, 6, CELLS), False),
        ("yolo", (1, CELLS, 6), False),
        ("yolo", (1, CELLS, 7), True),
        ("yolox", (1, CELLS, 7), True),
    ],
)
def test_a_box_is_seen_where_its_best_score_is_high_enough(decoder: str, shape: tuple[int, ...], has_objectness: bool) -> None:
    boxes, scores = output_parts({"out": shape}, card(decoder))
    array = np.zeros(shape, np.float32)
    rows = array.swapaxes(1, 2) if shape[2] == CELLS else array  # a view
    rows[0, 5, -1] = rows[0, 6, -2] = 10 * SEEN
    if has_objectness:
        rows[0, 5, 4], rows[0, 6, 4] = 0.5, 0.05
    seen = boxes.seen(array)
    assert seen is not None
    assert np.flatnonzero(seen).tolist() == ([5] if has_objectness else [5, 6])
    assert scores.seen(array) is None
    shown = scores.pick(array)
    assert float(shown.max()) == pytest.approx(0.5 if has_objectness else 10 * SEEN)
    assert shown.shape == tuple(size if size == CELLS else size - 4 if size > 1 else 1 for size in shape)
    assert np.count_nonzero(np.isclose(shown, 5 * SEEN)) == has_objectness


def test_an_output_without_boxes_is_one_part() -> None:
    (whole,) = output_parts({"out": (1, 2)}, card("softmax"))
    assert whole.seen(np.zeros((1, 2), np.float32)) is None
