"""`edgecnn run` ended at random moments: what it recorded stays readable up to the last second, and finished where it was asked to end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from edgecnn.videos.opencv_logging import silence_video_logs

silence_video_logs()
pytestmark = pytest.mark.slow


BUSY_S = 5.0  # how far apart two outputs may be on a machine that has other things to do; alone it is half a second


def run_until(how: int, seconds: float, folder: Path, suffix: str) -> tuple[int, str]:
    """Exit code and standard error of a run that is ended so many seconds after its first frame was recorded."""
    lines, video = folder / "r.jsonl", folder / f"v{suffix}"
    files = ["--out", str(video), "--jsonl", str(lines)]
    command = [sys.executable, "-m", "edgecnn", "run", "cups", "--source", "scene:cups", "--policy", "latest", *files]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        end = time.perf_counter() + 60
        while not (video.exists() and lines.exists() and lines.stat().st_size):
            assert process.poll() is None
            assert time.perf_counter() < end
            time.sleep(0.01)
        time.sleep(seconds)
        os.kill(process.pid, how)
        _, said = process.communicate(timeout=60)
    return process.returncode, said


def times_of(path: Path) -> list[float]:
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    times = []
    while video.grab():
        times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
    return times


def seconds_in(path: Path) -> float:
    """How far the whole lines reach; each of them must be JSON."""
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return float([json.loads(line) for line in lines][-1]["time_s"])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_killed(tmp_path: Path, suffix: str) -> None:
    chance = random.Random(suffix)
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        run_until(signal.SIGKILL, chance.uniform(0.5, 3.0), folder, suffix)
        assert abs(times_of(folder / f"v{suffix}")[-1] - seconds_in(folder / "r.jsonl")) < BUSY_S
        assert not list(folder.glob(".*"))


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_end(tmp_path: Path, how: int, code: int) -> None:
    seconds = random.Random(code).uniform(0.3, 2.0)
    ended, said = run_until(how, seconds, tmp_path, ".mp4")
    assert ended == code, said
    times, lines = times_of(tmp_path / "v.mp4"), (tmp_path / "r.jsonl").read_text().splitlines()
    assert len(times) == len(lines) == len([json.loads(line) for line in lines])
    assert (tmp_path / "v.mp4").read_bytes().count(b"moov") == 2  # the second one makes it an ordinary file
