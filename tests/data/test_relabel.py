from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.data.relabel import merge_classes, parse_renames, rename_classes
from edgecnn.errors import InputError


def dataset() -> Dataset:
    boxes = Boxes(np.zeros((3, 4), np.float32), np.array([0, 1, 2], np.int64), crowd=np.array([False, True, False]))
    samples = [Sample("a", lambda: np.zeros((1, 1, 3), np.uint8), boxes=boxes)]
    return Dataset("masks", "detect", ("with_mask", "without", "badly"), samples)


def test_merge_makes_one_class() -> None:
    merged = merge_classes(dataset(), "face")
    boxes = merged.samples[0].boxes
    assert merged.labels == ("face",)
    assert boxes is not None
    assert boxes.class_id.tolist() == [0, 0, 0]
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, True, False]


def test_rename_joins_classes_of_one_name() -> None:
    renamed = rename_classes(dataset(), {"With Mask": "ok", "badly": "wrong", "without": "wrong"})
    boxes = renamed.samples[0].boxes
    assert renamed.labels == ("ok", "wrong")
    assert boxes is not None
    assert boxes.class_id.tolist() == [0, 1, 1]


def test_a_label_is_renamed_too() -> None:
    samples = [Sample("a", lambda: np.zeros((1, 1, 3), np.uint8), label=2)]
    renamed = rename_classes(Dataset("x", "classify", ("a", "b", "c"), samples), {"a": "b"})
    assert (renamed.labels, renamed.samples[0].label) == (("b", "c"), 1)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(InputError, match=r"with_mask, without, badly\), found mask"):
        rename_classes(dataset(), {"mask": "face"})


def test_renames_are_parsed() -> None:
    assert parse_renames("a=b, c d = e") == {"a": "b", "c d": "e"}


@pytest.mark.parametrize("text", ["", "a", "a=", "=b", "a=b=c", "a=b,"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write name=name"):
        parse_renames(text)
