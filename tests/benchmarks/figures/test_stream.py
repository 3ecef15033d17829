"""The benchmark of live runs: its parts measure what they say, its figures say what was reached."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.figures.stream_part import SETTLE_FRAMES, FrameMeter, SlowPredictor
from edgecnn.benchmarks.figures.target import TargetCheck
from edgecnn.benchmarks.figures.web_camera import BITS, number_in, numbered_frame, true_age
from edgecnn.runtime.testing import FakePredictor
from edgecnn.shipped import artifact


@pytest.mark.parametrize("number", [0, 1, 1234, (1 << BITS) - 1])
def test_a_frame_says_its_number_through_jpeg(number: int) -> None:
    jpeg = cv2.imencode(".jpg", numbered_frame(number))[1]
    assert number_in(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)) == number


def test_the_age_of_a_frame_follows_from_its_number() -> None:
    first_at, fps = time.perf_counter() - 100.0, 30.0
    assert true_age(numbered_frame((3000 - 45) % (1 << BITS)), first_at, fps) == pytest.approx(1.5, abs=0.1)


def test_a_meter_counts_after_warm_up_until_the_time_is_over() -> None:
    meter, count = FrameMeter(0.05), 0
    while not meter.count():
        time.sleep(0.001)
        count += 1
    assert 0 < meter.part.frames <= count - SETTLE_FRAMES + 1
    assert meter.part.wall_s >= 0.05
    assert 0 < meter.part.cpu_s < meter.part.wall_s + 1


def test_a_slowed_model_takes_at_least_its_time() -> None:
    work = SlowPredictor(FakePredictor(), 0.03).worker()
    started = time.perf_counter()
    work(np.zeros((8, 8, 3), np.uint8))
    assert time.perf_counter() - started >= 0.03


@pytest.mark.parametrize(
    ("rounds", "target", "at_most", "reached"),
    [
        ([0.9, 1.0, 0.97], 0.95, False, True),
        ([0.9, 0.9, 1.2], 0.95, False, False),
        ([4.0], 5.0, True, True),
        ([1.0], None, False, None),
    ],
)
def test_a_figure_is_reached_by_its_median(
    rounds: list[float], target: float | None, at_most: bool, reached: bool | None
) -> None:
    figure = TargetCheck.of("a figure", rounds, target, at_most=at_most)
    assert figure.is_reached is reached
    assert (figure.low, figure.high) == (min(rounds), max(rounds))
    assert figure.to_json()["reached"] is reached
    assert ("NOT" in figure.cells()[-1]) == (reached is False)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (160, 120))  # type: ignore[attr-defined]
    for number in range(20):
        writer.write(np.full((120, 160, 3), number * 10, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    "part",
    [
        "engine_onnxruntime",
        "decode",
        "stream",
        "age",
        pytest.param("slow", marks=pytest.mark.slow),  # the web camera draws its frames first
        pytest.param("memory", marks=pytest.mark.slow),
    ],
)
def test_each_part_measures_in_a_process_of_its_own(part: str, video: Path) -> None:
    asked = {"part": part, "model": str(artifact("cups")), "video": str(video), "seconds": 0.3}
    command = [sys.executable, "-m", "edgecnn.benchmarks.figures.stream_part", json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert found["frames"] > 0
    assert found["wall_s"] >= 0.3
    assert found["cpu_s"] > 0
    if part == "memory":
        assert {"mib", "files", "sockets", "threads"} <= found["extra"]["samples"][0].keys()


def test_threads_of_the_engine_part_end() -> None:
    from edgecnn.benchmarks.figures.stream_part import engine_onnxruntime

    before = threading.active_count()
    part = engine_onnxruntime(str(artifact("cups")), 0.1, callers=2)
    assert part.frames > 0
    assert threading.active_count() == before
