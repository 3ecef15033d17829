from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("lap")

from edgecnn.errors import MissingExtraError
from edgecnn.runtime.tracking import ByteTrack, TrackOptions
from edgecnn.runtime.tracking.assignment import assign
from edgecnn.runtime.tracking.heading import agreement
from edgecnn.runtime.tracking.kalman import ACCELERATION, DRIFT, MEASURED, KalmanBoxes
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
    assert [ids(tracker.update(boxes(moved(n)), n / 30)) for n in range(20)] == [[1]] * 20


def test_a_box_counts_from_its_second_frame_except_at_the_start() -> None:
    tracker = ByteTrack()
    tracker.update(boxes(moved(0)), 0.0)
    assert ids(tracker.update(boxes(moved(1), moved(1, 300)), 1 / 30)) == [1]
    assert ids(tracker.update(boxes(moved(2, 300), moved(2)), 2 / 30)) == [2, 1]


def test_a_weak_box_continues_a_track_but_begins_none() -> None:
    tracker = ByteTrack()
    tracker.update(boxes(moved(0)), 0.0)
    assert ids(tracker.update(boxes(moved(1), moved(1, 300), score=(0.2, 0.2)), 1 / 30)) == [1]
    assert ids(tracker.update(boxes(moved(2), moved(2, 300), score=(0.2, 0.2)), 2 / 30)) == [1]


def test_a_hidden_box_comes_back_under_its_identity_and_later_as_another() -> None:
    tracker = ByteTrack(TrackOptions(lost_s=1.0, confirm=1))
    for n in range(10):
        tracker.update(boxes(moved(n)), n / 30)
    for n in range(10, 30):
        assert ids(tracker.update(Detections.empty(), n / 30)) == []
    assert ids(tracker.update(boxes(moved(30)), 1.0)) == [1]
    for n in range(31, 80):
        tracker.update(Detections.empty(), n / 30)
    assert ids(tracker.update(boxes(moved(80)), 80 / 30)) == [2]


def test_frames_that_nobody_looked_at_cost_no_identity() -> None:
    tracker = ByteTrack()
    looked = [0, 1, 2, 3, 4, 9, 10, 14, 22, 23]
    assert [ids(tracker.update(boxes(moved(n)), n / 30)) for n in looked] == [[1]] * len(looked)


def test_a_camera_slower_than_lost_s_still_tracks() -> None:
    tracker = ByteTrack(TrackOptions(lost_s=1.0))
    assert [ids(tracker.update(boxes(moved(n)), 3.0 * n)) for n in range(5)] == [[1]] * 5


def test_after_an_hour_without_frames_identities_are_new() -> None:
    tracker = ByteTrack()
    tracker.update(boxes(moved(0)), 0.0)
    tracker.update(boxes(moved(1)), 3600.0)
    assert ids(tracker.update(boxes(moved(2)), 3600.1)) == [2]


def test_two_who_cross_keep_their_identities() -> None:
    tracker = ByteTrack()
    last: list[int] = []
    for n in range(60):
        right, left = moved(n, 0, 6), moved(n, 300, -6)
        last = ids(tracker.update(boxes(right, (left[0], 60, left[2], 160)), n / 30))
    assert last == [1, 2]


@pytest.mark.parametrize(
    ("other_class", "expected"), [pytest.param(0.8, [1], id="one object"), pytest.param(0.0, [], id="each class alone")]
)
def test_a_changed_class(other_class: float, expected: list[int]) -> None:
    tracker = ByteTrack(TrackOptions(other_class=other_class))
    tracker.update(boxes(moved(0)), 0.0)
    assert ids(tracker.update(boxes(moved(1), class_id=1), 1 / 30)) == expected


def test_memory_is_bounded_whatever_appears() -> None:
    tracker = ByteTrack(TrackOptions(most=50, confirm=1, lost_s=1e9))
    rng = np.random.default_rng(0)
    for n in range(100):
        low = rng.uniform(0, 1e5, (20, 2))
        tracker.update(boxes(*np.concatenate([low, low + 10], 1)), n / 30)
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
def test_wrong_options_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrackOptions(**wrong)


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
        for place, identity in zip(order, ids(tracker.update(boxes(*[rows[place] for place in order]), index / 30)), strict=True):
            seen[place].add(identity)
        index += 1 if index < 10 else int(rng.integers(1, gap + 1))
    assert [len(one) for one in seen] == [1] * len(objects)
    assert len(set.union(*seen)) == len(objects)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 2))
def test_the_split_filter_is_the_filter_of_eight_states(seed: int, seconds: float) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 100, 2)
    first, second = (np.concatenate([low + d, low + d + rng.uniform(10, 50, 2)])[None].astype(np.float32) for d in (0, 2))
    motion = KalmanBoxes.start(first)
    mean = np.concatenate([motion.position[0], motion.velocity[0]])
    variance, cross, velocity_variance = motion.covariance[0]
    one = np.eye(4)
    cov = np.block([[variance * one, cross * one], [cross * one, velocity_variance * one]])
    move = np.eye(8) + seconds * np.eye(8, k=4)
    a, t = ACCELERATION**2, seconds
    noise = np.block([[(a * t**3 / 3 + DRIFT**2 * t) * one, a * t**2 / 2 * one], [a * t**2 / 2 * one, a * t * one]])
    mean, cov = move @ mean, move @ cov @ move.T + noise
    motion.predict(seconds)
    look = np.eye(8)[:4]
    gain = cov @ look.T @ np.linalg.inv(look @ cov @ look.T + MEASURED**2 * one)
    after = mean + gain @ (KalmanBoxes.start(second).position[0] - mean[:4])
    left = (np.eye(8) - gain @ look) @ cov
    motion.correct([0], second)
    np.testing.assert_allclose(np.concatenate([motion.position[0], motion.velocity[0]]), after, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(left[:4, :4], motion.covariance[0, 0] * one, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(left[:4, 4:], motion.covariance[0, 1] * one, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(left[4:, 4:], motion.covariance[0, 2] * one, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("parts", [[1.0], [0.5, 0.5], [0.04] * 25, [0.3, 0.0, 0.6, 0.1]])
def test_the_prediction_of_a_second_does_not_depend_on_the_frame_rate(parts: list[float]) -> None:
    motion = KalmanBoxes.start(np.array([[0, 0, 40, 100]], np.float32))
    motion.predict(0.1)
    motion.correct([0], np.array([[8, 0, 48, 100]], np.float32))
    whole = motion[[0]]
    whole.predict(1.0)
    for part in parts:
        motion.predict(part)
    np.testing.assert_allclose(motion.position, whole.position, rtol=1e-9)
    np.testing.assert_allclose(motion.covariance, whole.covariance, rtol=1e-9)


def walk(x: float, speed: float, at: float, *, y: float = 100, width: float = 30, height: float = 80) -> Box:
    """A person who walks at ``speed`` pixels per second."""
    x += speed * at
    return (x, y, x + width, y + height)


@pytest.mark.parametrize("fps", [3.5, 7, 12.5, 25, 60])
def test_two_who_cross_hidden_for_a_second_keep_their_identities_at_any_frame_rate(fps: float) -> None:
    """They walk towards each other and are one box, then none, while they are near each other."""
    tracker, seen = ByteTrack(), (set[int](), set[int]())
    for n in range(int(8 * fps)):
        at = n / fps
        right, left = walk(100, 60, at), walk(580, -60, at)
        apart = left[0] - right[0]
        visible = [right, left] if abs(apart) > 60 else []
        found = ids(tracker.update(boxes(*visible), at))
        for identity, who in zip(found, seen, strict=False):
            who.add(identity)
    assert seen == ({1}, {2})


def test_fast_walkers_at_five_frames_a_second_keep_their_identities() -> None:
    """They start from standing and soon step 0.8 widths between two frames, so that successive boxes hardly overlap."""
    tracker, seen, way = ByteTrack(), set[tuple[int, ...]](), 0.0
    for n in range(15):
        rows = [walk(way, 0, 0), walk(700 - way, 0, 0, y=250), walk(50 + way, 0, 0, y=400)]
        seen.add(tuple(ids(tracker.update(boxes(*rows), n / 5))))
        way += 24 * min(n, 4) / 4
    assert seen == {(1, 2, 3)}


def test_of_several_possible_pairs_those_with_the_highest_total_are_formed() -> None:
    similarity = np.array([[0.8, 0.3], [0.2, 0.0]], np.float32)
    rows, columns = assign(similarity, 0.1)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0)]  # 0.8, not 0.3 + 0.2
    rows, columns = assign(similarity, 0.1, np.array([[0.0, 0.4], [0.0, 0.0]]))
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_direction_decides_where_two_tracks_can_have_a_box(swapped: bool) -> None:
    """Two who walk towards each other are at one place; then each box is as near to the one as to the other."""
    tracker, last = ByteTrack(), list[int]()
    for n in range(8):
        tracker.update(boxes(walk(0, 60, n / 4), walk(240, -60, n / 4)), n / 4)
    ahead, behind = walk(128, 0, 0), walk(112, 0, 0)
    last = ids(tracker.update(boxes(*([behind, ahead] if swapped else [ahead, behind])), 2.0))
    assert last == ([2, 1] if swapped else [1, 2])


def test_who_stands_has_no_direction() -> None:
    way = np.array([[20.0, 0.0], [0.0, 20.0], [-20.0, 0.0], [1.0, 0.0]])
    velocity = np.array([[100.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    fit = agreement(velocity, np.full(3, 100.0), np.zeros((3, 2)), way)
    np.testing.assert_allclose(fit[0], [20 / 25 * 100 / 110, 0, -20 / 25 * 100 / 110, 1 / 6 * 100 / 110], rtol=1e-6)
    np.testing.assert_allclose(fit[1:], [[20 / 25 / 11, 0, -20 / 25 / 11, 1 / 6 / 11], [0, 0, 0, 0]], rtol=1e-6)


def test_a_weak_box_rescues_a_track_that_was_just_seen_and_no_other() -> None:
    tracker = ByteTrack()
    for n in range(5):
        tracker.update(boxes(walk(0, 30, n / 7)), n / 7)
    assert ids(tracker.update(boxes(walk(0, 30, 5 / 7), score=0.15), 5 / 7)) == [1]
    tracker.update(Detections.empty(), 6 / 7)
    assert ids(tracker.update(boxes(walk(0, 30, 1.0), score=0.15), 1.0)) == []
    assert ids(tracker.update(boxes(walk(0, 30, 8 / 7), score=0.9), 8 / 7)) == [1]


@pytest.mark.parametrize(("hidden", "expected"), [(1.9, 1), (2.1, 2)])
@pytest.mark.parametrize("fps", [2, 7, 30])
def test_a_track_comes_back_within_lost_s_but_not_after_at_any_frame_rate(fps: int, hidden: float, expected: int) -> None:
    tracker = ByteTrack(TrackOptions(lost_s=2.0, confirm=1))
    for n in range(3 * fps):
        tracker.update(boxes(walk(0, 0, 0)), n / fps)
    last = (3 * fps - 1) / fps
    for n in range(1, int(hidden * fps)):
        tracker.update(Detections.empty(), last + n / fps)
    assert ids(tracker.update(boxes(walk(0, 0, 0)), last + hidden)) == [expected]


def test_variable_time_stamps_are_followed() -> None:
    """A video whose frames are 40 ms and 400 ms apart by turns; a step is longer than the box is wide."""
    tracker, at, seen = ByteTrack(), 0.0, []
    for n in range(40):
        seen += ids(tracker.update(boxes(walk(0, 90, at), walk(0, 90, at, y=190)), at))
        at += 0.4 if n % 2 and n > 20 else 0.04
    assert set(seen) == {1, 2}
    ahead = tracker._tracks.motion[:]
    np.testing.assert_allclose(ahead.velocity[:, 0], 90, rtol=0.05)


def test_time_that_stands_still_or_runs_back_does_no_harm() -> None:
    tracker = ByteTrack()
    times = [0.0, 0.1, 0.1, 0.2, 0.15, 0.3]
    assert [ids(tracker.update(boxes(walk(0, 20, at)), at)) for at in times] == [[1]] * len(times)


def test_a_class_with_a_low_score_of_its_own_begins_tracks_lower() -> None:
    tracker = ByteTrack(TrackOptions(high=0.3, new=0.4, confirm=1, classes={1: 0.15}))
    tracker.update(boxes(moved(0)), 0.0)
    found = boxes(moved(1), moved(1, 300), moved(1, 600), moved(1, 900), score=(0.9, 0.3, 0.3, 0.2), class_id=(0, 0, 1, 1))
    assert ids(tracker.update(found, 1 / 30)) == [1, 2]  # 0.4 begins one of class 0, 0.25 one of class 1
    # 0.2 continues any track of class 1 but is weak for class 0, which needs a track that was seen in the last frame
    tracker.update(Detections.empty(), 2 / 30)
    again = tracker.update(boxes(moved(3), moved(3, 600), score=0.2, class_id=(0, 1)), 3 / 30)
    assert ids(again) == [2]
    with pytest.raises(ValueError, match="scores of classes"):
        TrackOptions(classes={0: 1.5})
