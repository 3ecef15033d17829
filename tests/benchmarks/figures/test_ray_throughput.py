"""The figure of Ray: it cuts videos, compares results without times, and says what was reached."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.figures.ray_throughput import RayPair, cut, results, summary, table
from edgecnn.runtime.sources import open_source


def test_videos_are_cut_one_after_the_other_and_begin_again(tmp_path: Path) -> None:
    pytest.importorskip("av")
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for value in (10, 60, 110, 160, 210):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    clips = cut(tmp_path / "a.avi", tmp_path / "clips", 3, count=3)
    means = [[round(float(frame.image.mean()) / 50) for frame in open_source(clip)] for clip in clips]
    assert means == [[0, 1, 2], [3, 4, 0], [1, 2, 3]]


def test_lines_are_compared_video_by_video_without_times(tmp_path: Path) -> None:
    def lines(name: str, *rows: tuple[str, int, float]) -> Path:
        path = tmp_path / name
        records = [
            {"camera": camera, "frame": frame, "time": at, "time_s": at, "stage_ms": {}, "age_ms": at}
            for camera, frame, at in rows
        ]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    mixed = lines("mixed", ("b", 0, 1.0), ("a", 0, 2.0), ("b", 1, 3.0))
    ordered = lines("ordered", ("a", 0, 7.0), ("b", 0, 8.0), ("b", 1, 9.0))
    assert results(mixed) == results(ordered)
    assert results(lines("other", ("a", 0, 7.0), ("b", 1, 8.0), ("b", 0, 9.0))) != results(ordered)


@pytest.mark.parametrize(("ray_fps", "said"), [(95.0, "reached"), (80.0, "not reached")])
def test_the_table_says_whether_the_target_is_reached(ray_fps: float, said: str) -> None:
    pairs = [RayPair(100.0, ray_fps, 3.0), RayPair(50.0, ray_fps / 2, 4.0)]
    assert f"at least 0.9: {said};" in table(summary(pairs), len(pairs))
