"""Outputs: whole files or none, one line where they can't be written, nothing lost that was there before."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.draw import Painter, class_color
from edgecnn.runtime.sinks import Sink
from edgecnn.runtime.sinks.clock import wall_time
from edgecnn.runtime.sinks.json_lines import JsonLinesSink
from edgecnn.runtime.sinks.snapshot import SnapshotSink
from edgecnn.runtime.sinks.video import CODECS, VideoSink
from edgecnn.runtime.sinks.window import WindowSink
from edgecnn.runtime.sources.quiet import silence_video_logs
from edgecnn.types import Classes, Detections, Frame, Prediction, Result, Values

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


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_holds_every_annotated_frame(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    sink = VideoSink(tmp_path / f"v{suffix}", PAINTER, fps=10)
    for index in range(12):
        sink.write(result(index * 10))
    assert not (tmp_path / f"v{suffix}").exists()
    sink.close()
    frames = frames_of(tmp_path / f"v{suffix}")
    assert len(frames) == 12
    assert abs(frames[5][310, 390].astype(int) - 50).max() < 12
    assert abs(frames[5][200, 40].astype(int) - class_color(0)).max() < 70  # lossy
    assert [path.name for path in tmp_path.iterdir()] == [f"v{suffix}"]
    assert capfd.readouterr().err == ""


def test_a_live_video_lasts_as_long_as_what_it_shows(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10, realtime=True)
    for index, at in enumerate((100.0, 100.1, 100.5, 102.0)):
        sink.write(result(index, at=at))
    sink.close()
    assert len(frames_of(tmp_path / "v.mp4")) == 21


def test_a_long_silence_is_shortened(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10, realtime=True)
    sink.write(result(0, at=0.0))
    sink.write(result(1, at=3600.0))
    sink.close()
    assert len(frames_of(tmp_path / "v.mp4")) <= 52


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "v.mp4", PAINTER)
    sink.write(result(100, Detections.empty()))
    sink.write(result(100, Detections.empty(), size=(640, 400)))
    sink.close()
    frames = frames_of(tmp_path / "v.mp4")
    assert frames[1].shape == (320, 400, 3)
    assert frames[1][160, 200].mean() > 80
    assert frames[1][160, 10].mean() < 20  # a bar at the side


def test_odd_sizes_are_cut_by_a_pixel(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "v.mp4", PAINTER)
    sink.write(result(0, size=(321, 401)))
    sink.close()
    assert frames_of(tmp_path / "v.mp4")[0].shape == (320, 400, 3)


def test_no_frames_make_no_video_and_leave_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_text("dear old video")
    sink = VideoSink(tmp_path / "v.mp4", PAINTER)
    sink.close()
    assert (tmp_path / "v.mp4").read_text() == "dear old video"


def open_video(path: Path) -> Sink:
    return VideoSink(path, PAINTER)


def open_lines(path: Path) -> Sink:
    return JsonLinesSink(path, ["mug"])


def open_snapshot(path: Path) -> Sink:
    return SnapshotSink(path.with_suffix(".png"), PAINTER)


OPENERS = [open_video, open_lines, open_snapshot]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        pytest.param("absent/x.mp4", "a folder .* found none", id="no folder"),
        pytest.param("/proc/x.mp4", "to write /proc/x", id="no permission"),
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
    with pytest.raises(InputError, match="found a folder: name a file in it"):
        opener(tmp_path / "x.mp4")


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
    with pytest.raises(InputError, match=r"a (video|picture) name that ends in"):
        wrong(tmp_path)


FULL_DISK = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import numpy as np
from edgecnn.errors import InputError
from edgecnn.runtime.draw import Painter
from edgecnn.runtime.sinks.clock import wall_time
from edgecnn.runtime.sinks.json_lines import JsonLinesSink
from edgecnn.runtime.sinks.video import VideoSink
from edgecnn.types import Detections, Frame, Result

folder = Path(sys.argv[1])
sink = {"v.mp4": lambda p: VideoSink(p, Painter([])), "v.jsonl": lambda p: JsonLinesSink(p, [])}[sys.argv[3]](folder / sys.argv[3])
noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))  # what a full disk does: writing stops
try:
    try:
        for index in range(int(sys.argv[4])):
            sink.write(Result(Frame(index, 0.0, noise), Detections.empty(), {}, 0.0))
    finally:
        sink.close()
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "frames", "message"),
    [
        pytest.param("v.mp4", 500, "found a file that no longer grows", id="while writing"),
        pytest.param("v.mp4", 20, "readable of 20 frames", id="at the end"),
        pytest.param("v.jsonl", 500, "file too large", id="lines"),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_no_half_file(tmp_path: Path, name: str, frames: int, message: str) -> None:
    import edgecnn

    (tmp_path / "v.mp4").write_text("dear old video")
    root = str(Path(edgecnn.__file__).parents[1])
    script = [sys.executable, "-c", FULL_DISK, str(tmp_path), root, name, str(frames)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert message in done.stdout
    assert (tmp_path / "v.mp4").read_text() == "dear old video"
    lines = (tmp_path / "v.jsonl").read_text().splitlines() if name == "v.jsonl" else []
    assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    assert {path.name for path in tmp_path.iterdir()} == {"v.mp4", name}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20000


def test_json_lines_say_what_was_found(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "r.jsonl", ["mug", "glass"], title=lambda index: f"img{index}.png")
    sink.write(result(3, at=10.0))
    sink.write(result(5, Classes(np.array([0.1, 0.9], np.float32)), at=10.25))
    sink.write(result(6, Detections.empty(), at=10.5))
    first, second, third = (json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines())
    assert abs(datetime.fromisoformat(first.pop("time").replace("Z", "+00:00")).timestamp() - wall_time(10.0).timestamp()) < 1
    assert first == {
        "version": 2,
        "camera": "",
        "frame": 3,
        "name": "img3.png",
        "time_s": 0.0,
        "size": [400, 320],
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
