from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("lap")

from edgecnn.errors import MissingExtraError
from edgecnn.runtime.tracking import ByteTrack, TrackOptions
from edgecnn.runtime.tracking.assignment import assign
from edgecnn.runtime.tracking.kalman import KalmanBoxes
from edgecnn.types import Detections

Box = Sequence[float]


def boxes(*rows: Box, score: float | Sequence[float] = 0.9, class_id: int | Sequence[int] = 0) -> Detections:
    n = len(rows)
    return Detections(
        np.array(rows, np.float32).reshape(-1, 4),
        np.broadcast_to(np.float32(score), n).copy(),
        np.broadcast_to(np.int64(class_id), n).copy(),
    )


def ids(found: Detections) -> list[int]:
    assert found.track_id is not None
    return found.track_id.tolist()


def moved(frame: float, x: float = 0.0, speed: float = 4.0) -> Box:
    return (x + speed * frame, 50, x + speed * frame + 40, 150)


def test_a_moving_box_keeps_its_identity() -> None:
    tracker = ByteTrack()
    assert [ids(tracker.update(boxes(moved(n)), n, n / 30)) for n in range(20)] == [[1]] * 20


def test_a_box_counts_from_its_second_frame_except_at_the_start() -> None:
    tracker = ByteTrack()
    tracker.update(boxes(moved(0)), 0, 0.0)
    assert ids(tracker.update(boxes(moved(1), moved(1, 300)), 1, 1 / 30)) == [1]
    assert ids(tracker.update(boxes(moved(2, 300), moved(2)), 2, 2 / 30)) == [2, 1]


def test_a_weak_box_continues_a_track_but_begins_none() -> None:
    tracker = ByteTrack()
    tracker.update(boxes(moved(0)), 0, 0.0)
    assert ids(tracker.update(boxes(moved(1), moved(1, 300), score=(0.2, 0.2)), 1, 1 / 30)) == [1]
    assert ids(tracker.update(boxes(moved(2), moved(2, 300), score=(0.2, 0.2)), 2, 2 / 30)) == [1]


def test_a_hidden_box_comes_back_under_its_identity_and_later_as_another() -> None:
    tracker = ByteTrack(TrackOptions(lost_s=1.0, confirm=1))
    for n in range(10):
        tracker.update(boxes(moved(n)), n, n / 30)
    for n in range(10, 30):
        assert ids(tracker.update(Detections.empty(), n, n / 30)) == []
    assert ids(tracker.update(boxes(moved(30)), 30, 1.0)) == [1]
    for n in range(31, 80):
        tracker.update(Detections.empty(), n, n / 30)
    assert ids(tracker.update(boxes(moved(80)), 80, 80 / 30)) == [2]


def test_frames_that_nobody_looked_at_cost_no_identity() -> None:
    tracker = ByteTrack()
    looked = [0, 1, 2, 3, 4, 9, 10, 14, 22, 23]
    assert [ids(tracker.update(boxes(moved(n)), n, n / 30)) for n in looked] == [[1]] * len(looked)


def test_a_camera_slower_than_lost_s_still_tracks() -> None:
    tracker = ByteTrack(TrackOptions(lost_s=1.0))
    assert [ids(tracker.update(boxes(moved(n)), n, 3.0 * n)) for n in range(5)] == [[1]] * 5


def test_after_an_hour_without_frames_identities_are_new() -> None:
    tracker = ByteTrack()
    tracker.update(boxes(moved(0)), 0, 0.0)
    tracker.update(boxes(moved(1)), 1, 3600.0)
    assert ids(tracker.update(boxes(moved(2)), 2, 3600.1)) == [2]


def test_two_who_cross_keep_their_identities() -> None:
    tracker = ByteTrack()
    last: list[int] = []
    for n in range(60):
        right, left = moved(n, 0, 6), moved(n, 300, -6)
        last = ids(tracker.update(boxes(right, (left[0], 60, left[2], 160)), n, n / 30))
    assert last == [1, 2]


@pytest.mark.parametrize(
    ("other_class", "expected"), [pytest.param(0.8, [1], id="one object"), pytest.param(0.0, [], id="each class alone")]
)
def test_a_changed_class(other_class: float, expected: list[int]) -> None:
    tracker = ByteTrack(TrackOptions(other_class=other_class))
    tracker.update(boxes(moved(0)), 0, 0.0)
    assert ids(tracker.update(boxes(moved(1), class_id=1), 1, 1 / 30)) == expected


def test_memory_is_bounded_whatever_appears() -> None:
    tracker = ByteTrack(TrackOptions(most=50, confirm=1, lost_s=1e9))
    rng = np.random.default_rng(0)
    for n in range(100):
        low = rng.uniform(0, 1e5, (20, 2))
        tracker.update(boxes(*np.concatenate([low, low + 10], 1)), n, n / 30)
        assert len(tracker.alive) <= 50 + 20


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"high": 1.5}, "high must be between 0 and 1, not 1.5"),
        ({"low": 0.6, "high": 0.5}, "low must not exceed high"),
        ({"confirm": 0}, "confirm and most must be at least 1"),
        ({"lost_s": -1.0}, "lost_s at least 0"),
        ({"most": 0}, "confirm and most must be at least 1"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrackOptions(**wrong)  # type: ignore[arg-type]


def test_without_lapx_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lap", None)
    with pytest.raises(MissingExtraError, match=r"lapx.*edgecnn\[live\]"):
        assign(np.ones((1, 1), np.float32), 0.5)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(-6, 6), st.floats(-3, 3), st.floats(40, 160)), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_apart_objects_keep_their_identity_through_noise_and_gaps(
    objects: list[tuple[float, float, float]], gap: int, seed: int
) -> None:
    """Objects in lanes of their own, up to 6 pixels a frame, with noise of 2 % of their height and frames left out."""
    rng = np.random.default_rng(seed)
    tracker, seen, index = ByteTrack(), [set[int]() for _ in objects], 0
    while index < 60:
        rows = []
        for lane, (vx, vy, height) in enumerate(objects):
            x, y = 400 + vx * index, 1000 * lane + 500 + vy * index
            box = np.array([x - height / 3, y - height / 2, x + height / 3, y + height / 2])
            rows.append((box + rng.normal(0, 0.02 * height, 4)).tolist())
        order = rng.permutation(len(rows))
        for place, identity in zip(
            order, ids(tracker.update(boxes(*[rows[place] for place in order]), index, index / 30)), strict=True
        ):
            seen[place].add(identity)
        index += 1 if index < 10 else int(rng.integers(1, gap + 1))
    assert [len(one) for one in seen] == [1] * len(objects)
    assert len(set.union(*seen)) == len(objects)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_split_filter_is_the_filter_of_eight_states(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 100, 2)
    first, second = (np.concatenate([low + d, low + d + rng.uniform(10, 50, 2)])[None].astype(np.float32) for d in (0, 2))
    motion = KalmanBoxes.start(first)
    mean = np.concatenate([motion.position[0], motion.velocity[0]])
    cov = np.diag(np.concatenate([motion.position_var[0], motion.velocity_var[0]]))
    move = np.eye(8) + np.eye(8, k=4)
    place, speed = (std[0] ** 2 for std in motion._noise())
    for _ in range(frames):
        mean, cov = move @ mean, move @ cov @ move.T + np.diag(np.concatenate([place, speed]))
    predicted = motion.predict(frames)
    measured_var = np.array([1 / 20, 1 / 20, 0, 1 / 20]) * predicted.position[0, 3] + np.array([0, 0, 0.1, 0])
    look = np.eye(8)[:4]
    gain = cov @ look.T @ np.linalg.inv(look @ cov @ look.T + np.diag(measured_var**2))
    after = mean + gain @ (np.array([*KalmanBoxes.start(second).position[0]]) - mean[:4])
    left = (np.eye(8) - gain @ look) @ cov
    corrected = predicted.correct(second)
    np.testing.assert_allclose(np.concatenate([corrected.position[0], corrected.velocity[0]]), after, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(corrected.position_var[0], np.diag(left)[:4], rtol=1e-6)
    np.testing.assert_allclose(corrected.velocity_var[0], np.diag(left)[4:], rtol=1e-6)
    np.testing.assert_allclose(corrected.cross_cov[0], np.diag(left, k=4), rtol=1e-6)
