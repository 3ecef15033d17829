from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.data.recognition import describe
from edgecnn.errors import InputError


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(11):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def test_frames_are_images_of_one_group(video: Path) -> None:
    dataset = open_dataset(video)
    assert len(dataset) == 11
    assert dataset.samples[3].name == "walk-03.jpg"
    assert float(dataset.samples[3].read().mean()) == pytest.approx(60, abs=4)
    assert {sample.group for sample in dataset.samples} == {"walk.avi"}
    assert describe(dataset) == "walk is read as frames of a video (a .avi file): 11 images"


def test_every_takes_frames_that_are_apart(video: Path) -> None:
    dataset = open_dataset(f"{video}?every=4")
    assert [sample.name for sample in dataset.samples] == ["walk-00.jpg", "walk-04.jpg", "walk-08.jpg"]
    assert [round(float(sample.read().mean()) / 20) for sample in dataset.samples] == [0, 4, 8]


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
def test_every_is_a_whole_number(video: Path, value: str) -> None:
    with pytest.raises(InputError, match=f"every={value} is not a whole number from 1"):
        open_dataset(f"{video}?every={value}")


def test_a_file_that_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"can't read the video .*a\.mp4"):
        open_dataset(tmp_path / "a.mp4")
