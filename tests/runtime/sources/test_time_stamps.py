"""Videos read by PyAV: their own time stamps, edit lists, rotation, sizes that change; and the same frames as OpenCV gives."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="time stamps are read by PyAV: the extra video")

import av

from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.sinks.files.event_clips import ClipOptions, EventClipsSink
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.runtime.sinks.files.video_writer import VideoWriter
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.sources.video import VideoFile
from edgecnn.runtime.steps.clock import clock_of
from edgecnn.types import Detections, Event, Frame, Image, Result
from edgecnn.videos.capture import open_file
from edgecnn.videos.edit_list import shown_seconds
from edgecnn.videos.opencv_capture import open_file as open_by_opencv

TIMES = [0.0, 0.04, 0.08, 0.5, 2.04, 2.08, 2.6, 5.72, 5.76, 7.0]


def grey(value: int, size: tuple[int, int] = (96, 128)) -> Image:
    return np.full((*size, 3), value, np.uint8)


def record(path: Path, times: Sequence[float] = TIMES) -> Path:
    """Frame n is as grey as 20 n, up to 220, then again."""
    file = VideoWriter(path, grey(0), 25)
    for index, at in enumerate(times):
        file.add(grey(index % 12 * 20), at)
    file.close()
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_frames_of_a_variable_rate_have_their_own_times(tmp_path: Path, suffix: str) -> None:
    source = open_source(record(tmp_path / f"v{suffix}"))
    frames = list(source)
    assert [frame.media_time for frame in frames] == pytest.approx(TIMES, abs=1e-3)
    assert [round(frame.image.mean() / 20) for frame in frames] == list(range(10))
    assert source.notes == []
    clock = clock_of(source)
    assert clock(frames[8]) - clock(frames[4]) == pytest.approx(3.72, abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_opencv_gives_the_same_times(tmp_path: Path, suffix: str) -> None:
    capture = open_by_opencv(str(record(tmp_path / f"v{suffix}")), 5)
    assert capture is not None
    times = []
    while capture.grab():
        times.append(capture.time)
    assert times == pytest.approx(TIMES, abs=1e-3)
    assert capture.missing() is None


def test_a_repeated_video_goes_on_counting_time(tmp_path: Path) -> None:
    times = [frame.media_time for frame in VideoFile(record(tmp_path / "v.mkv", [0.0, 0.5, 1.0]), repeat=2)]
    assert times == pytest.approx([0.0, 0.5, 1.0, 1.04, 1.54, 2.04], abs=1e-3)


def test_a_paced_video_is_timed_by_its_capture(tmp_path: Path) -> None:
    source = open_source(record(tmp_path / "v.mp4", [0.0, 0.04]), paced=True)
    clock = clock_of(source)
    assert all(clock(frame) == frame.captured_at for frame in source)


def results(path: Path, event_at: int = -1) -> Iterator[Result]:
    for frame in open_source(path):
        events = (Event("line-crossed", frame.captured_at),) if frame.index == event_at else ()
        yield Result(frame, Detections.empty(), {}, 0.0, "", events)


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as video:
        return [round(float(frame.time), 3) for frame in video.decode(video=0)]


def test_what_is_written_of_a_variable_rate_has_the_same_times(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", Painter([]), fps=25)
    for result in results(record(tmp_path / "v.mp4")):
        sink.write(result)
    sink.close()
    assert times_of(tmp_path / "out.mp4") == TIMES


def test_a_clip_of_a_variable_rate_counts_its_seconds(tmp_path: Path) -> None:
    sink = EventClipsSink(tmp_path / "clips", Painter([]), ClipOptions(before_s=1.9, after_s=3.7), fps=25)
    for result in results(record(tmp_path / "v.mp4"), event_at=4):
        sink.write(result)
    sink.close()
    (clip,) = (tmp_path / "clips").glob("*.mp4")
    assert times_of(clip) == pytest.approx([at - 0.5 for at in TIMES if 0.14 <= at <= 5.74], abs=2e-3)


def trimmed(path: Path, start: int = 9) -> Path:
    """An MP4 whose edit list begins at frame ``start`` of 48, as ``ffmpeg -ss -c copy`` makes it: packets before are discarded."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "48", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        packets = []
        for index in range(48):
            planes = cv2.cvtColor(grey(index * 5), cv2.COLOR_BGR2YUV_I420)
            frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in packets:
            packet.pts, packet.dts = packet.pts - start, packet.dts - start  # negative times become an edit list
            out.mux(packet)
    return path


def test_an_edit_list_is_followed_and_the_file_is_whole(tmp_path: Path) -> None:
    source = open_source(trimmed(tmp_path / "v.mp4"))
    frames = list(source)
    assert source.notes == []
    assert [round(frame.image.mean() / 5) for frame in frames] == list(range(9, 48))
    assert [frame.media_time for frame in frames] == pytest.approx([n / 30 for n in range(39)], abs=1e-3)


def test_a_trimmed_file_is_whole_for_opencv_and_a_cut_one_is_not(tmp_path: Path) -> None:
    path = trimmed(tmp_path / "v.mp4")
    assert shown_seconds(path) == pytest.approx(1.3, abs=0.01)
    assert shown_seconds(record(tmp_path / "w.mkv")) is None
    capture = open_by_opencv(str(path), 5)
    assert capture is not None
    while capture.grab():
        pass
    assert capture.missing() is None
    capture.shown_s = 1.6  # the header of a file that goes on
    assert capture.missing() == "its header says 1.6 s, 1.3 s could be read"


@pytest.mark.parametrize("cut", [0.5, 0.8])
def test_a_matroska_file_that_was_cut_ends_early(tmp_path: Path, cut: float) -> None:
    path = record(tmp_path / "v.mkv", [n / 25 for n in range(100)])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    source = open_source(path)
    assert 10 < len(list(source)) < 90
    (note,) = source.notes
    assert note.startswith("v.mkv ends early: its header says 4.0 s, ")


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="PyAV 17 writes no rotation")
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_video_is_shown_as_opencv_shows_it(tmp_path: Path, degrees: int) -> None:
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:48, :64], picture[:48, 64:], picture[48:, :64] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    with av.open(str(tmp_path / "v.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        if degrees:
            stream.set_display_rotation(degrees)
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        out.mux(stream.encode(None))
    ours, theirs = open_file(str(tmp_path / "v.mp4"), 5), open_by_opencv(str(tmp_path / "v.mp4"), 5)
    assert ours is not None
    assert theirs is not None
    assert ours.grab()
    assert theirs.grab()
    one, other = ours.retrieve(), theirs.retrieve()
    assert one is not None
    assert other is not None
    assert one.shape == ((128, 96, 3) if degrees % 180 else (96, 128, 3))
    assert np.abs(one.astype(int) - other).max() == 0


def test_a_size_that_changes_without_a_break_is_followed(tmp_path: Path) -> None:
    """Two H.264 streams one after the other, as a camera sends them whose resolution is changed."""
    with (tmp_path / "v.h264").open("wb") as stream:
        for size in ((96, 128), (192, 320), (96, 128)):
            encoder = av.CodecContext.create("libx264", "w")
            encoder.height, encoder.width = size
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
            encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
            for index in range(5):
                picture = grey(0, size)
                picture[:, size[1] // 2 :] = 200  # a scaled or sheared picture has its edge elsewhere
                frame = av.VideoFrame.from_ndarray(picture, "bgr24")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                for packet in encoder.encode(frame):
                    stream.write(bytes(packet))
            for packet in encoder.encode(None):
                stream.write(bytes(packet))
    images = [frame.image for frame in open_source(tmp_path / "v.h264")]
    assert [image.shape[:2] for image in images] == [(96, 128)] * 5 + [(192, 320)] * 5 + [(96, 128)] * 5
    for image in images:
        half = image.shape[1] // 2
        assert image[:, : half - 4].mean() < 20
        assert image[:, half + 4 :].mean() > 180


def test_time_stamps_go_on_where_a_stream_has_none(tmp_path: Path) -> None:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width, encoder.pix_fmt, encoder.time_base = 96, 128, "yuvj420p", Fraction(1, 25)
    with (tmp_path / "v.mjpeg").open("wb") as stream:
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(grey(index * 9), "bgr24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            stream.writelines(bytes(packet) for packet in encoder.encode(frame))
    frames = list(open_source(tmp_path / "v.mjpeg"))
    assert [frame.media_time for frame in frames] == pytest.approx([n / 25 for n in range(6)], abs=1e-3)


def test_pixels_are_those_of_opencv(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    file = VideoWriter(tmp_path / "v.mp4", grey(0, (98, 130)), 25)
    for index in range(5):
        file.add(cv2.resize(noise.integers(0, 255, (7, 9, 3), np.uint8), (130, 98)), index / 25)
    file.close()
    ours, theirs = open_file(str(tmp_path / "v.mp4"), 5), open_by_opencv(str(tmp_path / "v.mp4"), 5)
    assert ours is not None
    assert theirs is not None
    while ours.grab():
        assert theirs.grab()
        one, other = ours.retrieve(), theirs.retrieve()
        assert one is not None
        assert other is not None
        assert one.flags.writeable
        assert np.abs(one.astype(int) - other).max() == 0
    assert not theirs.grab()


def test_a_frame_stays_as_it_is_while_others_are_read(tmp_path: Path) -> None:
    frames: list[Frame] = []
    for frame in open_source(record(tmp_path / "v.mp4", [n / 25 for n in range(12)])):
        frames.append(frame)
        assert [round(kept.image.mean() / 20) for kept in frames] == list(range(len(frames)))


def test_memory_of_frames_is_used_again(tmp_path: Path) -> None:
    """Without it each frame of 768x432 costs 240 page faults."""
    path = tmp_path / "v.mp4"
    file = VideoWriter(path, grey(0, (432, 768)), 25)
    for index in range(120):
        file.add(grey(index, (432, 768)), index / 25)
    file.close()
    faults = []
    for frame in open_source(path):
        if frame.index in (20, 119):
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    assert (faults[1] - faults[0]) / 99 < 60


def test_a_source_that_is_closed_lets_the_file_go(tmp_path: Path) -> None:
    path = record(tmp_path / "v.mp4")
    source = open_source(path)
    frames = iter(source)
    next(frames)
    assert held(path)
    started = time.perf_counter()
    source.close()
    assert list(frames) == []
    assert time.perf_counter() - started < 2
    assert not held(path)


def held(path: Path) -> bool:
    return str(path) in {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
