from __future__ import annotations

import time
from pathlib import Path
from threading import Timer
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.adapt.collect import FrameJournal, collect
from edgecnn.adapt.config import AdaptConfig, AdaptFolder
from edgecnn.errors import InputError, SourceError
from tests.runtime.sources.peers import RtspCamera, rtsp_camera

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
    assert journal.until_s == 600.0
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
    assert journal.until_s == pytest.approx(2.0)


def test_an_interrupted_collection_goes_on(video: Path, tmp_path: Path) -> None:
    whole, folder = AdaptFolder(tmp_path / "whole"), AdaptFolder(tmp_path / "out")
    for one in (whole, folder):
        one.root.mkdir()

    def stop(what: str, at: float, total: float) -> None:
        if what.startswith("watching") and at > 3.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(config(video, folder.root), folder, stop)
    begun = FrameJournal.read(folder.journal)
    assert begun.until_s == 0.0
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
    folder = AdaptFolder(tmp_path)
    with rtsp_camera("--pattern", "ball") as camera:
        journal = collect(config(tmp_path, tmp_path, source=camera.address(), minutes=3 / 60, gap_s=0.3), folder)
    assert journal.until_s == pytest.approx(3.0)
    assert len(journal.at_s) >= 2
    assert 0 <= min(journal.at_s.values()) <= max(journal.at_s.values()) <= 3.0


def test_a_camera_that_can_not_be_reached_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        collect(config(tmp_path, tmp_path, source="rtsp://127.0.0.1:9/live"), AdaptFolder(tmp_path))
    assert not FrameJournal.read(AdaptFolder(tmp_path).journal).at_s


def test_more_minutes_go_on_where_the_first_ended(video: Path, tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path / "out")
    folder.root.mkdir()
    first = collect(config(video, folder.root, minutes=2 / 60), folder)
    told: list[str] = []
    more = collect(config(video, folder.root, minutes=5 / 60), folder, lambda what, done, total: told.append(what))
    assert set(first.at_s) < set(more.at_s)
    assert 4.0 < max(more.at_s.values()) <= 5.0
    assert min(np.diff(sorted(more.at_s.values()))) >= 0.5 - 1e-6
    assert sum(what.startswith("watching") for what in told) <= 3 * FPS + 2  # the first two seconds were not watched again


def test_with_no_more_minutes_than_before_nothing_is_watched(video: Path, tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path / "out")
    folder.root.mkdir()
    first = collect(config(video, folder.root, minutes=4 / 60), folder)
    video.unlink()
    for seconds in (4, 2):
        assert collect(config(video, folder.root, minutes=seconds / 60), folder).at_s == pytest.approx(first.at_s)


def test_images_of_a_folder_are_a_gap_apart(tmp_path: Path) -> None:
    from edgecnn.scene import Scene, parse_scene

    images, scene = tmp_path / "images", Scene(parse_scene("scene:cups?size=96x64&fps=1&cut=1&seed=5"))
    images.mkdir()
    for number in range(30):
        cv2.imwrite(str(images / f"{number:02d}.png"), scene.render(number)[0])
    folder = AdaptFolder(tmp_path / "out")
    folder.root.mkdir()
    journal = collect(config(images, folder.root, gap_s=3.0), folder)
    assert sorted(journal.at_s.values()) == pytest.approx([3.0 * number for number in range(30)])


class Dropping:
    """A camera that is unplugged when the collection comes to a second, and plugged in again ``away_s`` later (None: never)."""

    def __init__(self, camera: RtspCamera, at_s: float, away_s: float | None) -> None:
        self._camera, self._at_s, self._away_s = camera, at_s, away_s
        self._back: Timer | None = None
        self.dropped, self.told = False, list[str]()

    def __call__(self, what: str, at: float, total: float) -> None:
        self.told.append(what)
        if what.startswith("watching") and at > self._at_s and not self.dropped:
            self.dropped = True
            self._camera.kill()
            if self._away_s is not None:
                self._back = Timer(self._away_s, self._camera.start)
                self._back.start()

    def join(self) -> None:
        if self._back is not None:
            self._back.join()


def test_a_camera_that_drops_goes_on_when_it_is_back(tmp_path: Path) -> None:
    folder, said = AdaptFolder(tmp_path), list[str]()
    with rtsp_camera("--pattern", "ball") as camera:
        dropping = Dropping(camera, 2.0, 1.5)
        journal = collect(
            config(tmp_path, tmp_path, source=camera.address(), minutes=9 / 60, gap_s=0.3), folder, dropping, said.append
        )
        dropping.join()
    at_s = sorted(journal.at_s.values())
    assert at_s[0] < 2.0
    assert at_s[-1] > 3.5  # frames of the second connection, by the same clock
    assert max(np.diff(at_s)) > 1.0
    assert any(what.startswith("the camera is lost: ") for what in dropping.told)
    assert any("was lost once" in line for line in said)


def test_a_camera_that_stays_away_ends_by_the_clock(tmp_path: Path) -> None:
    folder = AdaptFolder(tmp_path)
    with rtsp_camera("--pattern", "ball") as camera:
        dropping = Dropping(camera, 1.0, None)
        began = time.perf_counter()
        journal = collect(config(tmp_path, tmp_path, source=camera.address(), minutes=4 / 60, gap_s=0.3), folder, dropping)
    assert time.perf_counter() - began < 25
    assert dropping.dropped
    assert journal.until_s == pytest.approx(4.0)
    assert journal.at_s
