"""Outputs: whole files or none, one line where they can't be written, nothing lost that was there before."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.sinks import Sink
from edgecnn.runtime.sinks.files.event_clips import EventClipsSink
from edgecnn.runtime.sinks.files.json_lines import JsonLinesSink
from edgecnn.runtime.sinks.files.snapshot import SnapshotSink
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.runtime.sinks.wall_clock import wall_time
from edgecnn.runtime.sinks.window import WindowSink
from edgecnn.types import Classes, Detections, Frame, Prediction, Result, Values
from edgecnn.videos.opencv_logging import silence_video_logs

silence_video_logs()  # before any test opens a video: FFmpeg asks once
PAINTER = Painter(["mug", "glass"])
BOX = Detections(np.array([[40, 100, 200, 300]], np.float32), np.array([0.87], np.float32), np.zeros(1, np.int64))


def result(index: int, prediction: Prediction = BOX, at: float = 0.0, size: tuple[int, int] = (320, 400)) -> Result:
    image = np.full((*size, 3), index % 200, np.uint8)
    return Result(Frame(index, at, image), prediction, {"infer": 1.23456}, 7.5)


def frames_of(path: Path) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    return frames


def open_video(path: Path) -> Sink:
    return VideoSink(path, PAINTER)


def open_lines(path: Path) -> Sink:
    return JsonLinesSink(path, ["mug"])


def open_snapshot(path: Path) -> Sink:
    return SnapshotSink(path.with_suffix(".png"), PAINTER)


needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="videos are written by PyAV: the extra video")
OPENERS = [pytest.param(open_video, marks=needs_av), open_lines, open_snapshot]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        pytest.param("absent/x.mp4", r"^can't write .*absent/x.*: the folder .*absent does not exist; create it", id="no folder"),
        pytest.param("/proc/x.mp4", r"^can't write /proc/x.*: no such file or directory", id="no permission"),
    ],
)
def test_a_place_that_can_not_be_written_is_said_at_once(
    tmp_path: Path, opener: Callable[[Path], Sink], place: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        opener(tmp_path / place)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_folder_is_no_file(tmp_path: Path, opener: Callable[[Path], Sink]) -> None:
    for suffix in (".mp4", ".png"):
        (tmp_path / f"x{suffix}").mkdir()
    with pytest.raises(InputError, match=r"^can't write .*/x\.(mp4|png): it is a folder; name a file in it$"):
        opener(tmp_path / "x.mp4")


@pytest.mark.parametrize("sink", [lambda path: VideoSink(path / "v.mp4", PAINTER), lambda path: EventClipsSink(path, PAINTER)])
def test_without_pyav_a_video_output_says_what_to_install(
    tmp_path: Path, sink: Callable[[Path], Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "av" else find_spec(name))
    with pytest.raises(MissingExtraError, match=r'^av is not installed; run: pip install "edgecnn\[video\]"$'):
        sink(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opener", OPENERS)
def test_opening_changes_nothing(tmp_path: Path, opener: Callable[[Path], Sink]) -> None:
    (tmp_path / "x.mp4").write_text("old")
    (tmp_path / "x.png").write_text("old")
    opener(tmp_path / "x.mp4").close()
    opener(tmp_path / "new.mp4").close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x.mp4": "old", "x.png": "old"}


@pytest.mark.parametrize(
    "wrong", [lambda path: VideoSink(path / "v.gif", PAINTER), lambda path: SnapshotSink(path / "v.gif", PAINTER)]
)
def test_unknown_suffixes_are_refused(tmp_path: Path, wrong: Callable[[Path], Sink]) -> None:
    with pytest.raises(InputError, match=r"v\.gif is not the name of (a video; use one of \.mp4|an image; use one of \.png)"):
        wrong(tmp_path)


def test_json_lines_say_what_was_found(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "r.jsonl", ["mug", "glass"], title=lambda index: f"img{index}.png")
    sink.write(result(3, at=10.0))
    sink.write(result(5, Classes(np.array([0.1, 0.9], np.float32)), at=10.25))
    sink.write(result(6, Detections.empty(), at=10.5))
    first, second, third = (json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines())
    assert abs(datetime.fromisoformat(first.pop("time").replace("Z", "+00:00")).timestamp() - wall_time(10.0).timestamp()) < 1
    assert first == {
        "version": 3,
        "camera": "",
        "frame": 3,
        "name": "img3.png",
        "time_s": 0.0,
        "media_time_s": None,
        "size_px": [400, 320],
        "detections": [{"label": "mug", "class_id": 0, "score": 0.87, "xyxy": [40.0, 100.0, 200.0, 300.0]}],
        "events": [],
        "stage_ms": {"infer": 1.235},
        "age_ms": 7.5,
    }
    assert second["time_s"] == 0.25
    assert second["classes"] == [
        {"label": "glass", "class_id": 1, "score": 0.9},
        {"label": "mug", "class_id": 0, "score": 0.1},
    ]
    assert third["detections"] == []
    sink.close()


def test_json_lines_of_values(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "r.jsonl", ["level"])
    sink.write(result(0, Values(np.float32([12.3456789, np.nan]))))
    sink.close()
    line = json.loads((tmp_path / "r.jsonl").read_text())
    assert line["values"] == [{"label": "level", "value": 12.34568}, {"label": "class 1", "value": None}]


def test_a_snapshot_shows_values(tmp_path: Path) -> None:
    sink = SnapshotSink(tmp_path / "s.png", Painter(["level"]))
    sink.write(result(0, Values(np.float32([12.5])), size=(320, 400)))
    sink.close()
    assert cv2.imread(str(tmp_path / "s.png"))[:40, :80].max() > 200


def test_tracked_boxes_carry_their_track(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "r.jsonl", ["mug"])
    sink.write(result(0, Detections(BOX.xyxy, BOX.score, BOX.class_id, np.array([42]))))
    sink.close()
    assert json.loads((tmp_path / "r.jsonl").read_text())["detections"][0]["track_id"] == 42


def test_a_new_run_replaces_the_lines_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("old\n" * 99)
    sink = JsonLinesSink(tmp_path / "r.jsonl", [])
    sink.write(result(0))
    sink.close()
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 1


def test_a_snapshot_is_the_last_frame_with_something_on_it(tmp_path: Path) -> None:
    sink = SnapshotSink(tmp_path / "s.png", PAINTER)
    for index, prediction in ((10, BOX), (20, BOX), (30, Detections.empty())):
        sink.write(result(index, prediction))
    sink.close()
    sink.close()
    assert cv2.imread(str(tmp_path / "s.png"))[310, 390].tolist() == [20, 20, 20]


def test_a_snapshot_of_nothing_is_the_last_frame(tmp_path: Path) -> None:
    sink = SnapshotSink(tmp_path / "s.png", PAINTER)
    for index in (10, 20):
        sink.write(result(index, Detections.empty()))
    sink.close()
    assert cv2.imread(str(tmp_path / "s.png"))[310, 390].tolist() == [20, 20, 20]


@pytest.mark.skipif("GUI:                           NONE" not in cv2.getBuildInformation(), reason="this OpenCV has windows")
def test_a_window_needs_another_build_of_opencv() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[window\]"'):
        WindowSink("title", PAINTER, lambda: None)
