from __future__ import annotations

import numpy as np
import pytest

from edgecnn.data import Dataset, Sample
from edgecnn.data.relabel import match_classes
from edgecnn.errors import InputError

VEHICLES = Dataset("cars", "classify", ("vehicle", "person"), [Sample("a", lambda: np.zeros((1, 1, 3), np.uint8), label=1)])
MODEL = ("person", "car", "bus", "dog")


def test_classes_of_the_model_alone_may_be_renamed() -> None:
    dataset, classes = match_classes(VEHICLES, MODEL, "car,bus:vehicle")
    assert dataset.labels == ("vehicle", "person")
    assert classes.dataset_class.tolist() == [1, 0, 0, -1]


def test_names_change_on_both_sides() -> None:
    dataset, classes = match_classes(VEHICLES, MODEL, "Person=human,car=vehicle")
    assert dataset.labels == ("vehicle", "human")
    assert classes.dataset_class.tolist() == [1, 0, -1, -1]


def test_merge_makes_one_class_of_all_that_the_dataset_has() -> None:
    dataset, classes = match_classes(VEHICLES, MODEL, "car:vehicle", "thing")
    assert dataset.labels == ("thing",)
    assert classes.dataset_class.tolist() == [0, 0, -1, -1]


def test_a_name_that_neither_has_is_refused() -> None:
    with pytest.raises(InputError, match=r"lorry is not a class of cars \(vehicle, person\) or of the model"):
        match_classes(VEHICLES, MODEL, "lorry:vehicle")
