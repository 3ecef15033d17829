"""The decoders of key points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess.centres import centres
from edgecnn.postprocess.heatmaps import heatmaps
from edgecnn.postprocess.movenet import movenet
from edgecnn.postprocess.yolo_pose import yolo_pose
from edgecnn.skeletons import COCO_17, skeleton

CUP = ("rim", "rim left", "rim right", "foot")


def card(decoder: str, labels: tuple[str, ...] = CUP, size: tuple[int, int] = (64, 96), **options: Any) -> ModelCard:
    return ModelCard(name="pose", task="pose", labels=labels, preprocess=Preprocess(size), decode=Decode(decoder, options))


def maps(cells: dict[tuple[int, int], float]) -> dict[str, np.ndarray]:
    score, offset = np.zeros((1, 1, 16, 24), np.float32), np.zeros((1, 8, 16, 24), np.float32)
    for (row, column), value in cells.items():
        score[0, 0, row, column] = value
        # rim above, rim left and right, foot below, each by a quarter of the reach of 48 pixels
        offset[0, :, row, column] = [0, -0.25, -0.25, -0.25, 0.25, -0.25, 0, 0.25]
    return {"centres": score, "offsets": offset}


def test_centres_become_objects_with_their_points() -> None:
    found = centres(maps({(3, 4): 0.9, (10, 18): 0.6, (12, 4): 0.2}), card("centres", score_threshold=0.3, reach=0.5))
    assert found.score.tolist() == pytest.approx([0.9, 0.6])
    np.testing.assert_allclose(found.points[0, :, :2], [[18, 2], [6, 2], [30, 2], [18, 26]])
    np.testing.assert_allclose(found.xyxy[0], [6, 2, 30, 26])
    assert found.skeleton == ((0, 1), (0, 2), (0, 3))


def test_two_peaks_of_one_object_are_one() -> None:
    found = centres(maps({(3, 4): 0.9, (3, 6): 0.8}), card("centres"))
    assert len(found) == 2  # 8 pixels apart, more than three tenths of 24
    found = centres(maps({(3, 4): 0.9, (4, 5): 0.8}), card("centres"))
    assert len(found) == 1


def test_nothing_found_is_no_object() -> None:
    assert len(centres(maps({}), card("centres"))) == 0


def test_heat_maps_in_both_layouts() -> None:
    array = np.zeros((1, 4, 16, 24), np.float32)
    for key, (row, column) in enumerate([(2, 3), (4, 5), (6, 20), (15, 23)]):
        array[0, key, row, column] = 0.8
        array[0, key, row, column - 1] = 0.4  # the second highest is to the left
    found = heatmaps({"out": array}, card("heatmaps"))
    np.testing.assert_allclose(found.points[0, 0], [(3 - 0.25) * 4 + 0.5, 2 * 4 + 0.5, 0.8])
    other = heatmaps({"out": array.transpose(0, 2, 3, 1)}, card("heatmaps"))
    np.testing.assert_allclose(found.points, other.points)
    assert len(heatmaps({"out": array}, card("heatmaps", score_threshold=0.9))) == 0


def test_movenet_gives_y_before_x() -> None:
    array = np.zeros((1, 1, 17, 3), np.float32)
    array[0, 0, :, 2] = 0.5
    array[0, 0, 0] = (0.25, 0.5, 0.9)
    found = movenet({"out": array}, card("movenet", COCO_17, (192, 256)))
    np.testing.assert_allclose(found.points[0, 0], [128, 48, 0.9])
    assert len(found.skeleton) == 19


def test_movenet_of_several_people() -> None:
    array = np.zeros((1, 6, 56), np.float32)
    array[0, 2, :3] = (0.25, 0.5, 0.9)
    array[0, 2, 51:] = (0.1, 0.2, 0.3, 0.4, 0.8)
    found = movenet({"out": array}, card("movenet", COCO_17, (100, 200)))
    assert len(found) == 1
    np.testing.assert_allclose(found.xyxy[0], [40, 10, 80, 30], rtol=1e-5)
    np.testing.assert_allclose(found.points[0, 0], [100, 25, 0.9], rtol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_yolo_keeps_the_better_of_two_boxes(turned: bool) -> None:
    rows = np.zeros((3, 17), np.float32)
    rows[:, :5] = [(30, 30, 20, 20, 0.9), (31, 30, 20, 20, 0.8), (70, 40, 10, 10, 0.7)]
    rows[:, 5:] = np.arange(12)
    found = yolo_pose({"out": (rows if turned else rows.T)[None]}, card("yolo-pose"))
    assert found.score.tolist() == pytest.approx([0.9, 0.7])
    np.testing.assert_allclose(found.xyxy[0], [20, 20, 40, 40])
    np.testing.assert_allclose(found.points[0], np.arange(12).reshape(4, 3))


@pytest.mark.parametrize("decoder", [centres, heatmaps, movenet, yolo_pose])
def test_other_outputs_are_refused(decoder: Any) -> None:
    with pytest.raises(ArtifactError, match="key point"):
        decoder({"out": np.zeros((1, 5, 7), np.float32)}, card("any"))


def test_lines_of_unknown_points_are_those_of_the_card() -> None:
    assert skeleton(("a", "b")) == ()
    found = heatmaps({"out": np.zeros((1, 2, 4, 4), np.float32)}, card("heatmaps", ("a", "b"), skeleton=[[0, 1]]))
    assert found.skeleton == ((0, 1),)
