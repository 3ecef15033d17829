"""The metrics that a view displays, and the frames it encodes, without a server."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.view import frame_images
from edgecnn.runtime.view.frame_images import FrameImages
from edgecnn.runtime.view.run_metrics import CameraMetrics
from edgecnn.types import Detections, Frame, Result
from tests.runtime.pipeline.harness import wait_until


def result(index: int, age_ms: float, infer_ms: float = 1.0) -> Result:
    frame = Frame(index, time.perf_counter(), np.full((48, 64, 3), index, np.uint8))
    return Result(frame, Detections.empty(), {"infer": infer_ms}, age_ms)


def test_a_point_is_of_the_results_since_the_point_before() -> None:
    metrics = CameraMetrics()
    metrics.add(result(0, 1000.0, infer_ms=900.0))
    metrics.sample(1, time.perf_counter(), FrameCounts(captured=1, processed=1))
    metrics.add(result(1, 10.0, infer_ms=2.0))
    metrics.add(result(2, 30.0, infer_ms=4.0))
    metrics.sample(2, time.perf_counter(), FrameCounts(captured=3, processed=3))
    first, second = metrics.points
    assert (first["age_ms"], first["stage_ms"]) == ([1000.0, 1000.0], {"infer": 900.0})
    assert (second["age_ms"], second["stage_ms"]) == ([10.0, 30.0], {"infer": 3.0})
    assert metrics.age_ms == {"p50": 30.0, "p99": 1000.0}


def test_frame_rates_are_of_the_time_since_the_point_before() -> None:
    metrics = CameraMetrics()
    metrics.sample(1, 100.0, FrameCounts(captured=10, processed=4))
    metrics.sample(2, 102.0, FrameCounts(captured=60, processed=24))
    assert metrics.points[-1]["fps"] == [25.0, 10.0]


def test_a_camera_is_encoded_no_more_often_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_images, "MAX_FPS", 2.0)
    with FrameImages({}) as images:
        numbers, at = [0], []
        for index in range(3):
            images.show("door", result(index, 1.0))
            ready: list[bool] = []
            images.request("door", numbers[-1], lambda ready=ready: ready.append(True))
            wait_until(lambda ready=ready: bool(ready))
            at.append(time.perf_counter())
            newest = images.newest("door", numbers[-1])
            assert newest is not None
            numbers.append(newest.number)
    assert numbers == [0, 1, 2, 3]
    assert min(np.diff(at)) > 0.45
