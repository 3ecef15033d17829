from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.adapt.collect import FrameJournal, collect
from edgecnn.adapt.config import AdaptConfig, AdaptFolder
from edgecnn.errors import InputError, SourceError

FPS = 10


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twelve seconds: a square that moves for six and then stays."""
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (96, 64))
    for number in range(12 * FPS):
        image = np.full((64, 96, 3), 40, np.uint8)
        left = min(number, 6 * FPS - 1)
        image[20:44, left : left + 24] = 220
        writer.write(image)
    writer.release()
    return path


def config(video: Path, out: Path, **more: object) -> AdaptConfig:
    values: dict[str, Any] = {"model": "cups", "teachers": ("t.onnx",), "gap_s": 0.5, "source": str(video), **more}
    return AdaptConfig(out=out, **values)


def test_what_looks_alike_is_kept_once(video: Path, tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path / "out")
    folder.root.mkdir()
    journal = collect(config(video, folder.root), folder)
    assert journal.complete
    assert 8 <= len(journal.at_s) <= 13
    assert max(journal.at_s.values()) < 7.0
    assert sorted(path.name for path in folder.frames.iterdir()) == sorted(journal.at_s)
    assert FrameJournal.read(folder.journal).at_s == pytest.approx(journal.at_s)
    gaps = np.diff(sorted(journal.at_s.values()))
    assert gaps.min() >= 0.5 - 1e-6


def test_minutes_end_the_collection(video: Path, tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path / "out")
    folder.root.mkdir()
    journal = collect(config(video, folder.root, minutes=2 / 60), folder)
    assert max(journal.at_s.values()) <= 2.0
    assert journal.complete


def test_an_interrupted_collection_goes_on(video: Path, tmp_path: Path) -> None:
    whole, folder = AdaptFolder(tmp_path / "whole"), AdaptFolder(tmp_path / "out")
    for one in (whole, folder):
        one.root.mkdir()

    def stop(at: float, kept: int) -> None:
        if at > 3.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(config(video, folder.root), folder, stop)
    begun = FrameJournal.read(folder.journal)
    assert not begun.complete
    assert begun.watched_s == pytest.approx(3.1, abs=0.11)
    journal = collect(config(video, folder.root), folder)
    assert set(begun.at_s) <= set(journal.at_s)
    gaps = np.diff(sorted(journal.at_s.values()))
    assert gaps.min() >= 0.5 - 1e-6
    assert abs(len(journal.at_s) - len(collect(config(video, whole.root), whole).at_s)) <= 1


def test_the_oldest_of_two_that_look_alike_makes_room(video: Path, tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path / "out")
    folder.root.mkdir()
    scene = "scene:cups?size=96x64&fps=1&count=40&seed=3"
    journal = collect(config(video, folder.root, source=scene, frames=20), folder)
    assert len(journal.at_s) == len(list(folder.frames.iterdir())) == 20


def test_another_file_is_not_read_as_a_journal(video: Path, tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path)
    folder.journal.write_text('{"frames": 3}')
    with pytest.raises(InputError, match="is not of edgecnn adapt"):
        collect(config(video, tmp_path), folder)


def test_frames_of_an_rtsp_camera_by_the_clock(tmp_path: Path) -> None:
    from tests.runtime.sources.peers import rtsp_camera

    folder = AdaptFolder(tmp_path)
    with rtsp_camera("--pattern", "ball") as camera:
        journal = collect(config(tmp_path, tmp_path, source=camera.address(), minutes=3 / 60, gap_s=0.3), folder)
    assert journal.complete
    assert len(journal.at_s) >= 2
    assert 0 <= min(journal.at_s.values()) <= max(journal.at_s.values()) <= 3.0


def test_a_camera_that_can_not_be_reached_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        collect(config(tmp_path, tmp_path, source="rtsp://127.0.0.1:9/live"), AdaptFolder(tmp_path))
    assert not FrameJournal.read(AdaptFolder(tmp_path).journal).complete
