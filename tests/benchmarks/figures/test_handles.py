from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.handles import HandleCount, command, count_handles, is_beside, share_inside, table
from edgecnn.errors import InputError
from edgecnn.scene import Scene, SceneGroundTruth, SceneOptions
from edgecnn.types import Boxes, Detections, Image

OPTIONS = SceneOptions(seed=3, size=(160, 120), fps=1, cut=1, count=6)
MUG = np.float32([10, 10, 50, 40])
HANDLE = np.float32([40, 15, 50, 35])


def truth(share: float = 1.0, crowd: bool = False) -> SceneGroundTruth:
    boxes = Boxes(MUG[None], np.zeros(1, np.int64), None, np.array([crowd]))
    one = np.ones(1, np.float32)
    return SceneGroundTruth(
        boxes, one, one * np.float32(share), HANDLE[None], np.zeros((1, 1), np.uint8), np.zeros((1, 4, 3), np.float32)
    )


def counts(detected: list[list[float]], known: SceneGroundTruth) -> tuple[int, int, int]:
    count = HandleCount()
    count.add(np.array(detected, np.float32).reshape(-1, 4), known, 0)
    return count.mugs, count.found, count.held


def test_the_share_of_a_box_in_another() -> None:
    assert share_inside(HANDLE, MUG) == 1
    assert share_inside(HANDLE, np.float32([0, 0, 45, 100])) == pytest.approx(0.5)
    assert share_inside(HANDLE, np.float32([60, 0, 90, 100])) == 0
    assert share_inside(np.zeros(4, np.float32), MUG) == 0


def test_a_box_without_the_handle_finds_the_mug_but_does_not_hold_the_handle() -> None:
    assert counts([[10, 10, 50, 40]], truth()) == (1, 1, 1)
    assert counts([[10, 10, 49, 40]], truth()) == (1, 1, 1)
    assert counts([[10, 10, 40, 40]], truth()) == (1, 1, 0)
    assert counts([], truth()) == (1, 0, 0)
    assert counts([[80, 80, 99, 99]], truth()) == (1, 0, 0)


def test_the_best_box_decides() -> None:
    # the second one holds the handle, but the first one fits the mug better
    assert counts([[10, 10, 45, 40], [0, 0, 90, 90]], truth()) == (1, 1, 0)


def test_hidden_handles_and_crowds_do_not_count() -> None:
    assert counts([[10, 10, 50, 40]], truth(share=0.2)) == (0, 0, 0)
    assert counts([[10, 10, 50, 40]], truth(crowd=True)) == (0, 0, 0)


def test_a_handle_beyond_the_rim_is_beside_the_body() -> None:
    points = np.float32([[25, 12, 2], [10, 12, 2], [40, 12, 1], [25, 38, 2]])
    assert is_beside(HANDLE, points)
    assert is_beside(np.float32([5, 15, 12, 35]), points)
    assert not is_beside(np.float32([20, 15, 42, 35]), points)
    assert not is_beside(HANDLE, points * np.float32([1, 1, 0]))  # the ends of the rim are not known


class Replay:
    """A detector that gives known answers one after the other."""

    def __init__(self, answers: list[Detections]) -> None:
        self.answers = iter(answers)

    def __call__(self, _: Image) -> Detections:
        return next(self.answers)


def predict_from_truth(cut_handles: bool) -> tuple[list[Detections], int]:
    scene, found, mugs = Scene(OPTIONS), [], 0
    for index in range(6):
        known = scene.ground_truth(index)
        xyxy = known.boxes.xyxy.copy()
        mugs += int(((known.boxes.class_id == 0) & ~known.boxes.crowd & (known.handle_visible >= 0.25)).sum())
        if cut_handles:
            xyxy[:, 2:] = (xyxy[:, :2] + xyxy[:, 2:]) / 2
        # the model has the class of mugs at another place
        found.append(Detections(xyxy, np.ones(len(xyxy), np.float32), (known.boxes.class_id + 1) % 4))
    return found, mugs


def test_a_scene_is_counted_frame_by_frame() -> None:
    for cut_handles in (False, True):
        found, mugs = predict_from_truth(cut_handles)
        count = count_handles(Replay(found), 1, OPTIONS)
        assert count.mugs == mugs > 3
        assert (count.held == mugs) is not cut_handles


def test_a_scene_without_an_end_is_refused() -> None:
    def predict(_: Image) -> Detections:
        raise AssertionError

    with pytest.raises(InputError, match="count="):
        count_handles(predict, 0, replace(OPTIONS, count=None))


def test_the_table_and_the_record(tmp_path: Path) -> None:
    count = HandleCount(4, 3, 2, 2, 0).to_json()
    assert count["shares"] == {"found": 0.75, "held": 0.5, "beside_held": 0.0}
    assert "50.0%" in table([{"file": "a.onnx", **count}])
    assert HandleCount().to_json()["shares"] == {"found": None, "held": None, "beside_held": None}
    record = tmp_path / "handles.json"
    done = CliRunner().invoke(command, ["cups", "--data", "scene:cups?seed=1&count=2&fps=1&cut=1", "--json", str(record)])
    assert done.exit_code == 0, done.output
    assert '"figure": "handles"' in record.read_text()


def test_a_model_without_mugs_is_refused() -> None:
    with pytest.raises(InputError, match="no detector of the class mug"):
        CliRunner().invoke(command, ["person-face-vehicle"], catch_exceptions=False)
