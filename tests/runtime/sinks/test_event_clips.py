"""Clips and pictures of events: what came before, what came after, and never more than is wanted."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="videos are written by PyAV: the extra video")

from edgecnn.errors import InputError
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.sinks.files.event_clips import ClipOptions, EventClipsSink
from edgecnn.runtime.sinks.files.retention import RecordingFolder
from edgecnn.runtime.sinks.wall_clock import wall_time
from edgecnn.types import Detections, Event, Frame, Result

NOW = time.perf_counter()


def result(index: int, *kinds: str, at: float | None = None, camera: str = "front door") -> Result:
    """Frame ``index``, ten a second; the greys of its halves say its number."""
    at = NOW + index / 10 if at is None else at
    events = tuple(Event(kind, at, camera) for kind in kinds)
    image = np.zeros((64, 400, 3), np.uint8)
    image[:, :200], image[:, 200:] = index // 14 * 17, index % 14 * 17
    return Result(Frame(index, at, image), Detections.empty(), {}, 0.0, camera, events)


def number(image: np.ndarray) -> int:
    return 14 * round(float(image[:, 16:184].mean()) / 17) + round(float(image[:, 216:384].mean()) / 17)


def numbers(path: Path) -> list[int]:
    """The frames of a clip."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    found = []
    while (read := video.read())[0]:
        found.append(number(read[1]))
    return found


def record(folder: Path, plan: ClipOptions, events: dict[int, str], frames: int = 200, **more: bool) -> list[Path]:
    sink = EventClipsSink(folder, Painter([]), plan, fps=10, **more)
    for index in range(frames):
        sink.write(result(index, *([events[index]] if index in events else [])))
    sink.close()
    sink.close()
    return sorted(folder.glob("*.mp4"))


@pytest.mark.parametrize("realtime", [True, False])
def test_a_clip_begins_before_its_event_and_ends_after_it(tmp_path: Path, realtime: bool) -> None:
    plan = ClipOptions(before_s=2, after_s=1)
    (clip,) = record(tmp_path, plan, {100: "line-crossed"}, realtime=realtime)
    assert numbers(clip) == list(range(80, 111))
    when, camera, kind = clip.stem.split("_")
    assert (camera, kind) == ("front-door", "line-crossed")
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z", when)
    assert when[:13] == wall_time(NOW + 10).strftime("%Y%m%dT%H%M")
    picture = cv2.imread(str(clip.with_suffix(".jpg")))
    assert picture is not None
    assert number(picture) == 100


def test_only_the_events_that_are_wanted(tmp_path: Path) -> None:
    assert not record(tmp_path, ClipOptions(kinds={"zone-entered"}), {100: "line-crossed"})
    assert not list(tmp_path.iterdir())


def test_an_event_meanwhile_makes_the_clip_longer_up_to_a_limit(tmp_path: Path) -> None:
    plan = ClipOptions(before_s=1, after_s=2, max_length_s=5)
    (clip,) = record(tmp_path, plan, {50: "line-crossed", 65: "zone-entered", 80: "line-crossed", 95: "line-crossed"})
    assert numbers(clip) == list(range(40, 101))
    assert len(list(tmp_path.glob("*.jpg"))) == 4


def test_events_at_either_end(tmp_path: Path) -> None:
    first, last = record(tmp_path, ClipOptions(before_s=1, after_s=1), {0: "line-crossed", 199: "line-crossed"})
    assert len(numbers(first)) == 11
    assert len(numbers(last)) == 11


def test_what_came_before_is_bounded(tmp_path: Path) -> None:
    sink = EventClipsSink(tmp_path, Painter([]), ClipOptions(before_s=1000, max_before_bytes=20_000), fps=10)
    for index in range(200):
        sink.write(result(index))
    assert 0 < sum(len(data) for _, data in sink._before) <= 20_000
    assert sink._before_bytes == sum(len(data) for _, data in sink._before)
    sink.close()


def test_clip_and_picture_have_one_name_though_the_clock_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(0, 0.0007)
    monkeypatch.setattr("edgecnn.runtime.sinks.wall_clock.time.time", lambda: 1.7e9 + next(ticks))
    (clip,) = record(tmp_path, ClipOptions(before_s=0.5, after_s=0.5), {20: "line-crossed"}, 40)
    assert sorted(tmp_path.iterdir()) == [clip.with_suffix(".jpg"), clip]


def test_a_clock_that_is_set_back_does_not_make_new_clips_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.chain([2e9] * 3, itertools.repeat(1e9))
    monkeypatch.setattr("edgecnn.runtime.sinks.wall_clock.time.time", lambda: next(now))
    plan = ClipOptions(before_s=0.5, after_s=0.5, max_count=3)
    clips = record(tmp_path, plan, dict.fromkeys(range(20, 200, 20), "line-crossed"))
    assert [numbers(clip)[5] for clip in clips] == [140, 160, 180]


def test_cameras_that_share_a_folder_keep_the_newest_clips_of_all(tmp_path: Path) -> None:
    plan = ClipOptions(before_s=0.1, after_s=0.1, max_count=3)
    cameras = {name: EventClipsSink(tmp_path, Painter([]), plan, fps=10) for name in ("door", "hall")}
    for index in range(40):
        for name, sink in cameras.items():
            kinds = ["zone-entered"] if index % 10 == (0 if name == "door" else 5) else []
            sink.write(result(index, *kinds, camera=name))
    for sink in cameras.values():
        sink.close()
    assert [path.stem.split("_")[1] for path in sorted(tmp_path.glob("*.mp4"))] == ["hall", "door", "hall"]


def test_clips_of_cameras_that_end_at_once_are_not_all_deleted(tmp_path: Path) -> None:
    folders = [RecordingFolder(tmp_path, max_count=3, max_bytes=10**9) for _ in range(2)]
    for camera, folder in zip("ab", folders, strict=True):
        for number in range(3):
            (tmp_path / f"{folder.stem_for(Event('zone-entered', NOW + number, camera), camera)}.jpg").touch()
    cleaned = [sorted(path.name for path in tmp_path.iterdir())]
    for folder in folders:
        folder.delete_oldest()
        cleaned.append(sorted(path.name for path in tmp_path.iterdir()))
    assert len(cleaned[0]) == 6
    assert cleaned[1] == cleaned[2] == [name for name in cleaned[0] if "_b_" in name]


def test_the_oldest_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").write_text("dear old video")
    plan = ClipOptions(before_s=0.5, after_s=0.5, max_count=3)
    clips = record(tmp_path, plan, dict.fromkeys(range(20, 200, 20), "line-crossed"))
    assert [numbers(clip)[5] for clip in clips[:-1]] == [140, 160, 180]
    assert len(list(tmp_path.glob("*.jpg"))) == 3
    assert (tmp_path / "holiday.mp4").read_text() == "dear old video"


def test_the_bytes_that_are_kept_are_bounded(tmp_path: Path) -> None:
    one = record(tmp_path / "one", ClipOptions(before_s=0.5, after_s=0.5), {20: "line-crossed"}, 40)
    size = sum(path.stat().st_size for path in (one[0], one[0].with_suffix(".jpg")))
    plan = ClipOptions(before_s=0.5, after_s=0.5, max_bytes=int(size * 2.5))
    clips = record(tmp_path / "many", plan, dict.fromkeys(range(20, 200, 20), "line-crossed"))
    assert len(clips) == 2


def test_a_long_silence_within_a_clip_is_shortened(tmp_path: Path) -> None:
    sink = EventClipsSink(tmp_path, Painter([]), ClipOptions(after_s=600, max_length_s=600), fps=10, realtime=True)
    sink.write(result(0, "camera-back"))
    sink.write(result(1, at=NOW + 300))
    sink.close()
    (clip,) = tmp_path.glob("*.mp4")
    video = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    while video.grab():
        last = video.get(cv2.CAP_PROP_POS_MSEC)
    assert last == pytest.approx(5000, abs=2)


def test_names_can_not_leave_the_folder(tmp_path: Path) -> None:
    sink = EventClipsSink(tmp_path / "clips", Painter([]), fps=10)
    sink.write(result(0, "../../evil kind", camera="../../../etc/passwd"))
    sink.close()
    assert {path.name.partition("_")[2] for path in (tmp_path / "clips").iterdir()} == {
        "etc-passwd_evil-kind.jpg",
        "etc-passwd_evil-kind.mp4",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]


@pytest.mark.parametrize("place", ["/proc/clips", "file/clips"])
def test_a_folder_that_can_not_be_made_is_said_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^can't write"):
        EventClipsSink(tmp_path / place, Painter([]))
