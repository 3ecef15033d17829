"""Videos: every annotated frame at its time."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="videos are written by PyAV: the extra video")

import av

from edgecnn.errors import InputError
from edgecnn.runtime.draw.captions import class_color
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.runtime.sinks.files.video_writer import FORMATS, VideoWriter
from edgecnn.types import Detections
from tests.runtime.sinks.videos import PAINTER, frames_of, probed, result, times_of


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_video_holds_every_annotated_frame(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    sink = VideoSink(tmp_path / f"v{suffix}", PAINTER, fps=10)
    for index in range(12):
        sink.write(result(index * 10))
    sink.close()
    sink.close()
    frames = frames_of(tmp_path / f"v{suffix}")
    assert len(frames) == 12
    assert abs(frames[5][310, 390].astype(int) - 50).max() < 12
    assert abs(frames[5][200, 40].astype(int) - class_color(0)).max() < 70  # lossy
    assert times_of(tmp_path / f"v{suffix}") == [round(n / 10, 2) for n in range(12)]
    assert [path.name for path in tmp_path.iterdir()] == [f"v{suffix}"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", FORMATS)
def test_other_readers_agree_and_find_any_moment(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    sink = VideoSink(path, PAINTER, fps=10)
    for index in range(60):
        sink.write(result(index * 3))
    sink.close()
    answer = probed(path)
    assert answer["streams"][0]["codec_name"] == ("vp8" if suffix == ".webm" else "h264")
    assert int(answer["streams"][0]["nb_read_frames"]) == 60
    assert float(answer["format"]["duration"]) == pytest.approx(6.0, abs=0.05)
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    video.set(cv2.CAP_PROP_POS_MSEC, 4000)
    assert abs(float(video.read()[1][310, 390].mean()) - 120) < 12


def boxes(path: Path) -> list[bytes]:
    """The kinds of the boxes of an MP4 file that are no padding."""
    data, place, kinds = path.read_bytes(), 0, []
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kinds.append(data[place + 4 : place + 8])
        place += size if size != 1 else int.from_bytes(data[place + 8 : place + 16], "big")
    assert place == len(data)
    return [kind for kind in kinds if kind != b"free"]


def test_an_mp4_is_fragmented_while_it_grows_and_an_ordinary_file_at_the_end(tmp_path: Path) -> None:
    file = VideoWriter(tmp_path / "v.mp4", result(0).frame.image, 10)
    for index in range(20):
        file.add(result(index).frame.image, index / 10)
    growing = boxes(tmp_path / "v.mp4")
    file.close()
    assert growing[:2] == [b"ftyp", b"moov"]
    assert growing.count(b"moof") >= 3
    assert boxes(tmp_path / "v.mp4") == [b"ftyp", b"mdat", b"moov"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_a_browser_or_a_phone_needs_is_in_the_stream(tmp_path: Path, suffix: str) -> None:
    sink = VideoSink(tmp_path / f"v{suffix}", PAINTER, fps=10)
    for index in range(25):
        sink.write(result(index))
    sink.close()
    with av.open(str(tmp_path / f"v{suffix}")) as video:
        stream = video.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.color_range) == ("h264", "yuv420p", 1)
        assert (context.colorspace, context.color_primaries, context.color_trc) == (6, 1, 1)
        keys = [packet.pts * packet.time_base for packet in video.demux(stream) if packet.is_keyframe and packet.size]
    assert keys == [0, 1, 2]


def test_colours_survive(tmp_path: Path) -> None:
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (40, 90, 200)], np.uint8)
    image = np.repeat(np.repeat(colours.reshape(2, 2, 3), 32, 0), 32, 1)
    file = VideoWriter(tmp_path / "v.mp4", image, 10)
    file.add(image, 0.0)
    file.close()
    with av.open(str(tmp_path / "v.mp4")) as video:
        ours = next(video.decode(video=0)).to_ndarray(format="bgr24")
    for frame in (ours, frames_of(tmp_path / "v.mp4")[0]):
        assert np.abs(frame[16::32, 16::32].reshape(-1, 3).astype(int) - colours).max() < 12


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_live_video_lasts_as_long_as_what_it_shows(tmp_path: Path, suffix: str) -> None:
    sink = VideoSink(tmp_path / f"v{suffix}", PAINTER, fps=10, realtime=True)
    for index, at in enumerate((100.0, 100.1, 100.5, 102.0)):
        sink.write(result(index, at=at))
    sink.close()
    assert times_of(tmp_path / f"v{suffix}") == [0.0, 0.1, 0.5, 2.0]


def test_a_long_silence_is_shortened(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10, realtime=True)
    for index, at in enumerate((0.0, 3600.0, 3601.0)):
        sink.write(result(index, at=at))
    sink.close()
    assert times_of(tmp_path / "v.mp4") == [0.0, 5.0, 6.0]


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


def test_pieces_carry_their_time_and_lose_no_frame(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10, segment_s=1.0)
    for index in range(25):
        sink.write(result(index * 5, Detections.empty(), at=time.perf_counter() - 30 + index / 10))
    sink.close()
    pieces = [frames_of(path) for path in sorted(tmp_path.iterdir())]
    assert [len(piece) for piece in pieces] == [10, 10, 5]
    assert all(path.name.startswith("v-20") for path in tmp_path.iterdir())
    shown = [float(frame[310, 390].mean()) for piece in pieces for frame in piece]
    assert np.abs(np.array(shown) - np.arange(25) * 5).max() < 12


def test_the_oldest_pieces_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "v-holiday.mp4").write_text("dear old video")
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10, segment_s=1.0, keep_bytes=1)
    for index in range(40):
        sink.write(result(index * 5, Detections.empty(), at=time.perf_counter() - 30 + index / 10))
    sink.close()
    assert len(list(tmp_path.glob("v-2*.mp4"))) == 2  # the newest of the finished ones, and the one that was written
    assert (tmp_path / "v-holiday.mp4").exists()


def test_no_room_for_temporary_files_is_no_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    sink = VideoSink(tmp_path / "v.mp4", PAINTER)
    sink.write(result(0))
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path: Path, suffix: str) -> None:
    """A camera that records for days is not to be ended by the list of its frames."""
    image = np.zeros((32, 32, 3), np.uint8)
    file, held = VideoWriter(tmp_path / f"long{suffix}", image, 25), []
    for index in range(30_000):
        file.add(image, index / 25)
        if index in (5_000, 29_999):
            held.append(resident_bytes())
    file.close()
    assert held[1] - held[0] < 25_000 * (100 if suffix == ".mp4" else 0) + 500_000
    with av.open(str(tmp_path / f"long{suffix}")) as video:
        assert sum(1 for packet in video.demux(video=0) if packet.size) == 30_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_mp4_with_a_long_index_is_followed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.runtime.sinks.files.video_writer._MOST_FRAMES_OF_MP4", 10)
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10)
    for index in range(25):
        sink.write(result(index, at=time.perf_counter() - 30 + index / 10))
    sink.close()
    assert len(frames_of(tmp_path / "v.mp4")) == 10
    assert [len(frames_of(path)) for path in sorted(tmp_path.glob("v-*.mp4"))] == [10, 5]


@pytest.mark.parametrize("size", [(2, 2), (5, 3), (16, 2000)], ids=str)
def test_odd_little_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    for suffix in FORMATS:
        file = VideoWriter(tmp_path / f"v{suffix}", np.zeros((*size, 3), np.uint8), 10)
        file.add(np.zeros((*size, 3), np.uint8), 0.0)
        file.close()
        assert len(frames_of(tmp_path / f"v{suffix}")) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_frames_that_are_too_large_for_an_encoder_are_one_line(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(
        InputError, match=r"a video of 1 x 65,535 pixels can't be encoded, at most 16,382 on a side; leave it out"
    ):
        VideoWriter(tmp_path / f"v{suffix}", np.zeros((65_535, 1, 3), np.uint8), 25)
    assert list(tmp_path.iterdir()) == []
    file = VideoWriter(tmp_path / f"v{suffix}", np.zeros((16, 16_382, 3), np.uint8), 25)
    file.add(np.zeros((16, 16_382, 3), np.uint8), 0.0)
    file.close()


def test_a_clock_that_is_set_back_does_not_make_new_pieces_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [2e9]
    monkeypatch.setattr("edgecnn.runtime.sinks.wall_clock.time.time", lambda: now[0])
    sink = VideoSink(tmp_path / "v.mp4", PAINTER, fps=10, segment_s=1.0, keep_bytes=1)
    for index in range(40):
        now[0] = 2e9 if index < 15 else 1e9 + index
        sink.write(result(index))
    sink.close()
    assert sorted(path.name[:6] for path in tmp_path.iterdir()) == ["v-2001", "v-2001"]  # the last and the one before
