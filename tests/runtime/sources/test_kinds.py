"""Kinds of sources beside files and addresses: patterns, pipes, devices, OpenCV's own strings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.runtime.sources import ReconnectingSource, ReconnectOptions, open_source
from edgecnn.runtime.sources.local_camera import CameraOptions
from edgecnn.runtime.sources.stdin import StdinSource
from edgecnn.videos.opencv_logging import native_stderr_silenced, silence_video_logs, stderr_held
from tests.runtime.sources.peers import needs_httpx, shade

silence_video_logs()


# patterns


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    for name in ("frame_0008.png", "frame_0009.png", "frame_0010.png", "frame_0012.png", "other.png", "b/x10.jpg", "b/x9.jpg"):
        cv2.imwrite(str(tmp_path / name), shade(9))
    (tmp_path / "frame_0011.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        pytest.param("frame_*.png", ["frame_0008.png", "frame_0009.png", "frame_0010.png", "frame_0012.png"], id="star"),
        pytest.param("**/x*.jpg", ["x9.jpg", "x10.jpg"], id="folders"),
        pytest.param("*", ["frame_0008.png", "frame_0009.png", "frame_0010.png", "frame_0012.png", "other.png"], id="all"),
        pytest.param("frame_%04d.png", ["frame_0008.png", "frame_0009.png", "frame_0010.png", "frame_0012.png"], id="sequence"),
        pytest.param("b/x%d.jpg", ["x9.jpg", "x10.jpg"], id="bare numbers"),
    ],
)
def test_patterns_name_images_in_the_order_a_person_counts(pictures: Path, pattern: str, names: list[str]) -> None:
    source = open_source(str(pictures / pattern))
    assert [source.title(frame.index) for frame in source] == names
    assert not source.live


def test_numbers_that_are_missing_in_a_sequence_are_told(pictures: Path) -> None:
    source = open_source(pictures / "frame_%04d.png")
    assert source.notes == ["frame_%04d.png: 1 of the numbers 8 to 12 are missing"]


@pytest.mark.parametrize("pattern", ["*.webp", "nowhere/*.png", "frame_%08d.png", "nowhere/%d.png"])
def test_a_pattern_without_a_match_is_one_line(pictures: Path, pattern: str) -> None:
    with pytest.raises(SourceError, match=r"check the (pattern|folder)"):
        open_source(pictures / pattern)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a[1].png"), shade(9))
    assert len(list(open_source(tmp_path / "a[1].png"))) == 1


# standard input


def jpegs(count: int) -> bytes:
    return b"".join(cv2.imencode(".jpg", shade(value * 8))[1].tobytes() for value in range(count))


class Pipe:
    """A pipe with a writer of its own."""

    def __init__(self, data: bytes, *, then_stay: float = 0.0) -> None:
        self.reader, writer = os.pipe()
        self._thread = threading.Thread(target=self._write, args=(writer, data, then_stay), daemon=True)
        self._thread.start()

    def _write(self, writer: int, data: bytes, stay: float) -> None:
        try:
            while data:
                data = data[os.write(writer, data) :]
            time.sleep(stay)
        except OSError:
            pass
        os.close(writer)

    def __enter__(self) -> int:
        return self.reader

    def __exit__(self, *exc: object) -> None:
        os.close(self.reader)
        self._thread.join(5)


def test_jpegs_are_cut_apart_and_none_is_lost() -> None:
    with Pipe(jpegs(30)) as fd:
        source = StdinSource(fd)
        assert [round(frame.image.mean() / 8) for frame in source] == list(range(30))
    assert not source.live


def test_a_live_pipe_gives_the_newest_and_counts_the_others() -> None:
    with Pipe(jpegs(30)) as fd:
        time.sleep(0.3)
        source = StdinSource(fd, live=True)
        frames = list(source)
    assert len(frames) + source.missed == 30
    assert frames[-1].image.mean() > 220


def test_a_broken_jpeg_in_a_pipe_is_counted() -> None:
    whole = jpegs(3)
    with Pipe(whole[:300] + whole) as fd:
        source = StdinSource(fd)
        assert len(list(source)) == 3
    assert source.failed == 1


@pytest.mark.parametrize("name", ["yuv4mpegpipe", "nut", "matroska", "mpegts", "ppm"])
def test_whatever_ffmpeg_pipes(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: run tests/install_peers.sh")
    codec = {"ppm": ["-f", "image2pipe", "-c:v", "ppm"], "yuv4mpegpipe": ["-f", name, "-pix_fmt", "yuv420p"]}
    words = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=2"]
    data = subprocess.run(
        [*words, *codec.get(name, ["-c:v", "mpeg2video", "-f", name]), "-"], capture_output=True, check=True
    ).stdout
    with Pipe(data) as fd:
        frames = list(StdinSource(fd))
    assert len(frames) == 50
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}
    assert capfd.readouterr().err == ""


def test_ffmpeg_into_the_source_called_minus() -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: run tests/install_peers.sh")
    script = "from edgecnn import open_source; print(len(list(open_source('-'))))"
    words = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=1", "-f", "mjpeg", "-"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as sender:
        done = subprocess.run([sys.executable, "-c", script], stdin=sender.stdout, capture_output=True, text=True, check=True)
    assert done.stdout == "25\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "standard input is empty; pipe frames in", id="nothing"),
        pytest.param(b"no video " * 999, "holds no format that FFmpeg detects", id="text"),
    ],
)
def test_a_pipe_without_frames_is_one_line(data: bytes, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with Pipe(data) as fd, pytest.raises(SourceError, match=message):
        list(StdinSource(fd, timeout=2.0))
    assert capfd.readouterr().err == ""


def test_a_pipe_that_falls_silent_is_given_up() -> None:
    with Pipe(jpegs(3), then_stay=3.0) as fd, pytest.raises(SourceError, match=r"no data on standard input for 0\.5 s"):
        list(StdinSource(fd, timeout=0.5))


def test_closing_ends_a_pipe_that_waits() -> None:
    with Pipe(b"", then_stay=3.0) as fd:
        source = StdinSource(fd, timeout=60)
        threading.Timer(0.2, source.close).start()
        started = time.perf_counter()
        assert list(source) == []
        assert time.perf_counter() - started < 2.5


def test_a_terminal_is_no_pipe() -> None:
    controller, terminal = os.openpty()
    try:
        with pytest.raises(SourceError, match="is a terminal, not frames; pipe frames in: ffmpeg"):
            list(StdinSource(terminal))
    finally:
        os.close(controller)
        os.close(terminal)


# devices


def test_what_a_camera_is_asked_for() -> None:
    options = CameraOptions.parse("size=1280x720&fps=29.97&fourcc=MJPG")
    assert (options.size, options.fps, options.fourcc) == ((1280, 720), 29.97, "MJPG")
    assert CameraOptions.parse("") == CameraOptions()
    assert options.not_applied(640, 480, 30, "YUYV") == ["640x480 instead of 1280x720 pixels", "pixels as YUYV instead of MJPG"]
    assert CameraOptions.parse("fps=5").not_applied(640, 480, 30, "YUYV") == ["30 instead of 5 frames per second"]


@pytest.mark.parametrize("query", ["size=big", "size=0x5", "fps=fast", "fps=0", "fourcc=JPEGS", "colour=red", "size"])
def test_options_that_no_camera_has_are_one_line(query: str) -> None:
    with pytest.raises(SourceError, match="options of a camera"):
        open_source(f"0?{query}")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        pytest.param(
            "/dev/v4l/by-id/usb-Acme_Cam-video-index0",
            "camera /dev/v4l/by-id/usb-Acme_Cam-video-index0 does not exist, there is",
            id="by id",
        ),
        pytest.param("97?size=640x480", "camera 97 at /dev/video97", id="number"),
        pytest.param("/dev/null", "camera /dev/null can't be opened", id="not a camera"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="devices of Linux")
def test_a_device_that_is_no_camera_is_one_line(device: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        list(open_source(device))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/video0").exists(), reason="no camera at /dev/video0")
def test_a_real_camera() -> None:
    source = open_source("0?size=640x480", reconnect=ReconnectOptions())
    frames: Iterator[object] = iter(source)
    for _ in range(10):
        next(frames)
    source.close()
    assert source.fps


# OpenCV's own strings


@pytest.mark.parametrize(
    "uri", ["gst:videotestsrc ! appsink", "gst:rtspsrc location=rtsp://ann:s3cret@cam/x user-pw=s3cret ! appsink"]
)
def test_gstreamer_is_one_line_where_opencv_has_none(uri: str) -> None:
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        pytest.skip("this OpenCV has GStreamer")
    with pytest.raises(SourceError, match="this build of OpenCV has no GStreamer") as caught:
        open_source(uri)
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has no GStreamer")
def test_a_gstreamer_pipeline() -> None:
    source = open_source("gst:videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! videoconvert ! appsink")
    assert next(iter(source)).image.shape == (120, 160, 3)


def test_a_string_for_ffmpeg(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for value in range(5):
        writer.write(shade(value))
    writer.release()
    assert len(list(open_source(f"ffmpeg:concat:{tmp_path}/v.avi", paced=False))) == 5
    with pytest.raises(SourceError, match=r"^ffmpeg:nonsense: no answer"):
        list(open_source("ffmpeg:nonsense", paced=False))


# what stays alive, and what is heard


@pytest.mark.parametrize(
    ("uri", "steady"),
    [
        pytest.param("0", True, id="camera"),
        pytest.param("rtsp://cam/x", True, id="rtsp"),
        pytest.param("http://cam/x", True, id="http", marks=needs_httpx),
        pytest.param("ffmpeg:srt://cam:9000", True, id="ffmpeg"),
        pytest.param("http://cam/film.mp4", False, id="film"),
        pytest.param("scene:cups", False, id="scene"),
        pytest.param("-", False, id="pipe"),
    ],
)
def test_what_is_live_is_kept_alive(uri: str, steady: bool) -> None:
    assert isinstance(open_source(uri, reconnect=ReconnectOptions()), ReconnectingSource) == steady


def test_a_file_is_never_kept_alive(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), shade(9))
    assert not isinstance(open_source(tmp_path / "a.png", reconnect=ReconnectOptions(), paced=True), ReconnectingSource)


def test_an_unknown_scheme_says_how_to_go_round() -> None:
    with pytest.raises(
        EdgeCnnError, match=r"srt:// is not a known kind of address; use one of rtsp, .* or write ffmpeg: before it"
    ):
        open_source("srt://cam:9000")


def test_standard_error_is_heard_while_others_have_it_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    begun, go = threading.Event(), threading.Event()

    def silence() -> None:
        with native_stderr_silenced():
            begun.set()
            go.wait(5)

    threads = [threading.Thread(target=silence) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(5)
    os.write(2, b"native\n")
    with stderr_held():
        os.write(2, b"ours\n")
    os.write(2, b"native again\n")
    go.set()
    for thread in threads:
        thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "ours\nafter\n"


def test_a_gray_image_has_three_channels() -> None:
    from edgecnn.videos.opencv_capture import as_bgr

    assert as_bgr(np.zeros((4, 5), np.uint8)).shape == (4, 5, 3)
