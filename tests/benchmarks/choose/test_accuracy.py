from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.choose.accuracy import spread
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection


@pytest.mark.parametrize(("limit", "count"), [(6, 6), (5, 4), (12, 12), (100, 12)])
def test_the_images_come_from_all_classes(limit: int, count: int, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for number in range(4):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    dataset = spread(DatasetSelection(str(tmp_path)), limit, 12).open()
    assert len(dataset) == count
    assert {sample.label for sample in dataset.samples} == {0, 1, 2}


def test_a_limit_of_the_user_is_kept() -> None:
    own = DatasetSelection("digits", limit=7, every=3)
    assert spread(own, 5, 100) is own
    assert spread(DatasetSelection("digits"), None, 100) == DatasetSelection("digits")
