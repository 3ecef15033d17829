from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.data.relabel import ignore_classes, merge_classes, rename_classes, to_classes
from edgecnn.errors import InputError
from edgecnn.labels import parse_renames


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


def test_an_ignored_class_becomes_ignored_boxes_of_another() -> None:
    changed = ignore_classes(dataset(), {"Badly": "without"})
    boxes = changed.samples[0].boxes
    assert changed.labels == ("with_mask", "without")
    assert boxes is not None
    assert boxes.class_id.tolist() == [0, 1, 1]
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, True, True]


def test_only_boxes_can_be_ignored() -> None:
    with pytest.raises(InputError, match="ignore= is for boxes, but x is a dataset to classify; leave it out"):
        ignore_classes(Dataset("x", "classify", ("a", "b"), []), {"a": "b"})


def test_a_label_is_renamed_too() -> None:
    samples = [Sample("a", lambda: np.zeros((1, 1, 3), np.uint8), label=2)]
    renamed = rename_classes(Dataset("x", "classify", ("a", "b", "c"), samples), {"a": "b"})
    assert (renamed.labels, renamed.samples[0].label) == (("b", "c"), 1)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(InputError, match=r"has no class mask; name some of its classes: with_mask, without, badly"):
        rename_classes(dataset(), {"mask": "face"})


def test_renames_are_parsed() -> None:
    assert parse_renames("a=b, c d = e") == {"a": "b", "c d": "e"}


@pytest.mark.parametrize("text", ["", "a", "a=", "=b", "a=b=c", "a=b,"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write name=name"):
        parse_renames(text)


@pytest.mark.parametrize("text", ["a:x,b:x,c:y", "a=x,b=x,c=y", "a,b:x,c:y", "a , b = x, c : y"])
def test_several_names_become_one(text: str) -> None:
    assert parse_renames(text) == {"a": "x", "b": "x", "c": "y"}


def test_a_list_of_classes_leaves_others_out_and_knows_what_is_not_labelled() -> None:
    changed = to_classes(dataset(), ("car", "Badly", "with mask"))
    boxes = changed.samples[0].boxes
    assert boxes is not None
    assert (boxes.class_id.tolist(), changed.unlabelled, changed.samples[0].unlabelled) == ([2, 1], {0}, {0})
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, False]


def test_images_of_other_classes_go() -> None:
    samples = [Sample(str(label), lambda: np.zeros((1, 1, 3), np.uint8), label=label) for label in (0, 1, 2, 1)]
    changed = to_classes(Dataset("x", "classify", ("a", "b", "c"), samples), ("c", "b"))
    assert [(one.name, one.label) for one in changed.samples] == [("1", 1), ("2", 0), ("1", 1)]


def test_what_is_not_labelled_follows_its_class() -> None:
    known = to_classes(dataset(), ("car", "without", "bus"))
    assert known.unlabelled == {0, 2}
    both = rename_classes(known, {"car": "vehicle", "bus": "vehicle"})
    assert (both.labels, both.unlabelled, both.samples[0].unlabelled) == (("vehicle", "without"), {0}, {0})
    assert merge_classes(known, "thing").unlabelled == frozenset()
    assert to_classes(known, ("bus", "without")).samples[0].unlabelled == {0}
