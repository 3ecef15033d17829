"""Videos for tests: results to record, and what other readers find in the file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.runtime.draw.painter import Painter
from edgecnn.types import Detections, Frame, Image, Result
from edgecnn.videos.opencv_logging import silence_video_logs

silence_video_logs()  # before any test opens a video: FFmpeg asks once
BUSY_S = 1.0  # what other things may cost that this machine has to do
PAINTER = Painter(["mug", "glass"])
BOX = Detections(np.array([[40, 100, 200, 300]], np.float32), np.array([0.87], np.float32), np.zeros(1, np.int64))


def result(index: int, prediction: Detections = BOX, at: float = 0.0, size: tuple[int, int] = (320, 400)) -> Result:
    return Result(Frame(index, at, np.full((*size, 3), index % 200, np.uint8)), prediction, {}, 7.5)


def frames_of(path: Path) -> list[Image]:
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    return frames


def times_of(path: Path) -> list[float]:
    """When each frame is shown, in seconds."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    times = []
    while video.grab():
        times.append(round(video.get(cv2.CAP_PROP_POS_MSEC) / 1e3, 2))
    return times


def probed(path: Path) -> dict[str, Any]:
    if shutil.which("ffprobe") is None:
        pytest.skip("needs ffprobe: bash tests/install_peers.sh")
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
