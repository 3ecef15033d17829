"""Core values: validated, closed under indexing, merging and emptiness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.types import Classes, Detections, Frame, Latency, TensorSpec, nearest_rank


def some(n: int, *, tracked: bool = False) -> Detections:
    boxes = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
    tracks = np.arange(n, dtype=np.int64) if tracked else None
    return Detections(boxes, np.linspace(0, 1, n, dtype=np.float32), np.arange(n, dtype=np.int64) % 3, tracks)


def test_indexing_gives_detections_again() -> None:
    found = some(5, tracked=True)
    kept = found[found.score > 0.5]
    assert (len(kept), list(kept.class_id), list(kept.track_id)) == (2, [0, 1], [3, 4])  # type: ignore[arg-type]
    assert found[1].xyxy.shape == (1, 4)
    assert len(found[[]]) == 0


def test_merge_keeps_order_and_drops_tracks_unless_all_have_them() -> None:
    assert list(Detections.merge([some(2), some(3)]).class_id) == [0, 1, 0, 1, 2]
    assert Detections.merge([some(2, tracked=True), some(1)]).track_id is None
    assert Detections.merge([some(2, tracked=True), some(1, tracked=True)]).track_id is not None
    assert len(Detections.merge([])) == 0


@pytest.mark.parametrize(
    ("xyxy", "score", "message"),
    [
        pytest.param(
            np.zeros((2, 5), np.float32), np.zeros(2, np.float32), r"xyxy has shape \(2, 5\) .*, not \(n, 4\)", id="five-columns"
        ),
        pytest.param(np.zeros((2, 4)), np.zeros(2, np.float32), "dtype float64, not .* float32", id="float64"),
        pytest.param(
            np.zeros((2, 4), np.float32), np.zeros(3, np.float32), r"score has shape \(3,\) .*, not \(2\)", id="other-count"
        ),
    ],
)
def test_wrong_arrays_say_what_was_wanted_and_found(xyxy: np.ndarray, score: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(xyxy, score, np.zeros(2, np.int64))


def test_frame_must_be_colour_bytes() -> None:
    with pytest.raises(ValueError, match=r"a frame has shape \(4, 4\) .*, not \(n, n, 3\)"):
        Frame(0, 0.0, np.zeros((4, 4), np.uint8))


def test_tensor_spec_refuses_unknown_dtype_and_layout() -> None:
    with pytest.raises(ValueError, match="dtype"):
        TensorSpec("x", (1,), "bfloat16")
    with pytest.raises(ValueError, match="layout"):
        TensorSpec("x", (1,), "uint8", "HWC")


def test_top1_is_the_highest_score() -> None:
    assert Classes(np.array([0.1, 0.7, 0.2], np.float32)).top1 == 1


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(1, 100))
def test_percentile_is_an_observed_sample_with_enough_samples_below(samples: list[float], percent: float) -> None:
    value = nearest_rank(samples, percent)
    assert value in samples
    assert sum(s <= value for s in samples) >= len(samples) * percent / 100 - 1e-9


def test_latency_keeps_every_sample() -> None:
    latency = Latency(tuple(float(i) for i in range(1, 101)))
    assert (latency.p50, latency.p90, latency.p95, latency.p99, latency.max, latency.mean) == (50, 90, 95, 99, 100, 50.5)
