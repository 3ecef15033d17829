from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.trust.attack.same_network import agreement, check_agreement, check_cards
from edgecnn.types import Classes, Detections
from tests.trust.attack.networks import PREPROCESS, card


def test_files_with_other_classes_or_inputs_are_refused() -> None:
    check_cards([("a", card()), ("b", card())])
    with pytest.raises(InputError, match=r"a and b can't be attacked .* they differ in classes \(left, right and up, down\)"):
        check_cards([("a", card()), ("b", card(labels=("up", "down")))])
    with pytest.raises(InputError, match=r"they differ in size of the input \(8, 8 and 16, 8\)"):
        check_cards([("a", card()), ("b", card(dataclasses.replace(PREPROCESS, size=(16, 8))))])


def test_agreement_counts_classes_and_shown_boxes() -> None:
    a, b = Classes(np.float32([0.9, 0.1])), Classes(np.float32([0.2, 0.8]))
    assert agreement([a, a, b], [a, b, b]) == pytest.approx(2 / 3)
    box = np.float32([[0, 0, 10, 10], [50, 50, 60, 60], [90, 90, 99, 99]])
    first = Detections(box, np.float32([0.9, 0.5, 0.1]), np.int64([0, 1, 0]))
    second = Detections(box[:2], np.float32([0.8, 0.4]), np.int64([0, 0]))
    assert agreement([first], [second]) == 0.5
    assert agreement([first], [Detections.empty()]) == 0
    assert agreement([Detections.empty()], [first]) is None


def test_another_network_is_refused_when_enough_images_say_so() -> None:
    check_agreement("net", "file", 0.9, 32)
    check_agreement("net", "file", 0.1, 4)
    check_agreement("net", "file", None, 32)
    with pytest.raises(InputError, match=r"file is not the network of net: they agree on 10 % of 32 images"):
        check_agreement("net", "file", 0.1, 32)
