"""Videos: every annotated frame at its time, readable whatever happens to the process or the disk."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgecnn
from edgecnn.errors import InputError
from edgecnn.runtime.draw.painter import Painter, class_color
from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.runtime.sinks.files.encoder import _Packets
from edgecnn.runtime.sinks.files.mp4_file import Mp4File
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.runtime.sinks.files.video_file import CODECS, VideoFile
from edgecnn.runtime.sinks.queue import QueuedSink
from edgecnn.runtime.sources.opencv_logging import silence_video_logs
from edgecnn.types import Detections, Frame, Image, Result

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


@pytest.mark.parametrize("suffix", CODECS)
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


@pytest.mark.parametrize("suffix", CODECS)
def test_other_readers_agree_and_find_any_moment(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    sink = VideoSink(path, PAINTER, fps=10)
    for index in range(60):
        sink.write(result(index * 3))
    sink.close()
    answer = probed(path)
    assert answer["streams"][0]["codec_name"] == {"mp4v": "mpeg4", "VP80": "vp8"}[CODECS[suffix]]
    assert int(answer["streams"][0]["nb_read_frames"]) == 60
    assert float(answer["format"]["duration"]) == pytest.approx(6.0, abs=0.05)
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    video.set(cv2.CAP_PROP_POS_MSEC, 4000)
    assert abs(float(video.read()[1][310, 390].mean()) - 120) < 12


def chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 200), max_size=10))
def test_packets_come_out_of_a_stream_however_it_is_cut(packets: list[bytes], cuts: list[int]) -> None:
    stream = b"RIFF....AVI LIST....movi" + b"".join(chunk(b"00dc", packet) + chunk(b"JUNK", b"x") for packet in packets)
    stream += chunk(b"idx1", b"00dc\1\0\0\0!" * 3)
    reader, found = _Packets(), []
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, end in pairwise(places):
        found += reader.add(stream[start:end])
    assert found == [packet for packet in packets if packet]


def test_a_finished_mp4_is_an_ordinary_file(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "v.mp4", result(0).frame.image, 10)
    for index in range(3):
        file.add(result(index).frame.image, index / 10)
    file.close()
    data, place, kinds = (tmp_path / "v.mp4").read_bytes(), 0, []
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kinds.append(data[place + 4 : place + 8])
        place += size if size != 1 else int.from_bytes(data[place + 8 : place + 16], "big")
    assert place == len(data)
    assert kinds == [b"ftyp", b"mdat", b"moov"]


@pytest.mark.parametrize("suffix", CODECS)
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


CHILD = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import numpy as np
from edgecnn.errors import InputError
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.types import Detections, Frame, Result

path, limit = Path(sys.argv[2]), int(sys.argv[3])
sink = VideoSink(path, Painter([]), fps=25, realtime=not limit)
noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
if limit:  # what a full disk does: writing stops
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
index, began = 0, time.perf_counter()
while index < 10**9:
    image = noise if limit else np.full((240, 320, 3), index % 250, np.uint8)
    try:
        sink.write(Result(Frame(index, time.perf_counter(), image), Detections.empty(), {}, 0.0))
    except InputError as error:
        print(error, flush=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        limit, index = 1, 10**9 - 5  # and there is room again
        time.sleep(0.01)
    if not limit:
        print(time.perf_counter() - began, flush=True)
        time.sleep(0.02)
    index += 1
sink.close()
"""


def child(path: Path, limit: int) -> list[str]:
    return [sys.executable, "-c", CHILD, str(Path(edgecnn.__file__).parents[1]), str(path), str(limit)]


@pytest.mark.parametrize("suffix", CODECS)
def test_killed_at_any_moment_the_video_is_readable_up_to_the_last_second(tmp_path: Path, suffix: str) -> None:
    chance = random.Random(suffix)
    for attempt in range(3):
        path = tmp_path / f"{attempt}{suffix}"
        with subprocess.Popen(child(path, 0), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.3, 2.0))
            os.kill(process.pid, signal.SIGKILL)
            written = [float(line) for line in process.stdout.readlines()]
        times = times_of(path)
        assert times[-1] > written[-1] - 1.0 - BUSY_S
        assert len(times) <= len(written) + 2
        assert int(probed(path)["streams"][0]["nb_read_frames"]) == len(times)


@pytest.mark.parametrize("suffix", CODECS)
def test_a_full_disk_is_one_line_keeps_what_was_written_and_goes_on_when_there_is_room(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    done = subprocess.run(child(path, 300_000), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert f"can't write {path}: file too large; free some space" in done.stdout
    assert path.stat().st_size <= 300_000
    assert len(frames_of(path)) >= 3
    (later,) = tmp_path.glob(f"v-*{suffix}")
    assert len(frames_of(later)) == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_of_the_disk_is_raised_and_the_frames_before_it_stay(tmp_path: Path) -> None:
    file = VideoFile(tmp_path / "v.mp4", result(0).frame.image, 10)
    file.add(result(0).frame.image, 0.0)
    end = time.perf_counter() + 10
    while not (tmp_path / "v.mp4").exists():
        assert time.perf_counter() < end
        time.sleep(0.01)
    unwritable = os.open(os.devnull, os.O_RDONLY)
    os.dup2(unwritable, file._fd)  # every write fails from here
    os.close(unwritable)
    file.add(result(1).frame.image, 0.1)
    with pytest.raises(InputError, match=r"can't write .*v\.mp4: bad file descriptor"):
        file.close()
    with pytest.raises(InputError):
        file.add(result(2).frame.image, 0.2)
    assert len(frames_of(tmp_path / "v.mp4")) == 1


def test_an_odd_packet_is_an_error_and_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(packet: bytes, codec: str) -> bool:
        raise IndexError("no such byte")

    monkeypatch.setattr("edgecnn.runtime.sinks.files.video_file.is_key", odd)
    file = VideoFile(tmp_path / "v.mp4", result(0).frame.image, 10)
    file.add(result(0).frame.image, 0.0)
    with pytest.raises(InputError, match="found indexerror: no such byte"):
        file.close()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up_and_is_freed_again(tiny_disk: Path) -> None:
    (tiny_disk / "big").write_bytes(bytes(350_000))
    said: list[str] = []
    sink = QueuedSink(VideoSink(tiny_disk / "v.mp4", Painter([]), fps=25), name="out", lossless=True, say=said.append)
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    end = time.perf_counter() + 30
    index = 0
    while sink.state != "failing":
        assert time.perf_counter() < end
        sink.write(Result(Frame(index, time.perf_counter(), noise), Detections.empty(), {}, 0.0))
        index += 1
        time.sleep(0.005)
    (tiny_disk / "big").unlink()
    while not list(tiny_disk.glob("v-*.mp4")):
        assert time.perf_counter() < end
        sink.write(result(1, Detections.empty(), at=time.perf_counter()))
        time.sleep(0.02)
    sink.close()
    assert said[0].startswith(f"output out: can't write {tiny_disk / 'v.mp4'}: no space left on device; free some space")
    assert said[1:] == ["output out: it works again"]
    assert len(frames_of(tiny_disk / "v.mp4")) >= 3
    assert frames_of(next(tiny_disk.glob("v-*.mp4")))
    counts = sink.counts
    assert counts.taken == counts.written + counts.dropped + counts.failed


class Slow:
    """Draws slowly and counts."""

    def __init__(self) -> None:
        self.drawn = 0

    def paint(self, result: Result) -> Image:
        time.sleep(0.05)
        self.drawn += 1
        return result.frame.image.copy()


def test_outputs_share_one_drawing() -> None:
    slow, one, other = Slow(), result(0), result(1)
    painter = SharedPainter(slow)
    images: list[Image] = []
    threads = [threading.Thread(target=lambda: images.append(painter.paint(one))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.drawn == 1
    assert all(image is images[0] for image in images)
    painter.paint(other)
    painter.paint(one)
    assert slow.drawn == 2
    painter.paint(Result(one.frame, Detections.empty(), {}, 0.0))
    assert slow.drawn == 3


def test_a_drawing_lives_as_long_as_its_frame() -> None:
    painter = SharedPainter(Slow())
    for index in range(5):
        painter.paint(result(index))
    gc.collect()
    assert len(painter._drawn) <= 1


def test_memory_does_not_grow_with_the_length_of_an_mp4(tmp_path: Path) -> None:
    """A camera that records for days is not to be ended by the list of its pictures."""
    with (tmp_path / "long.mp4").open("w+b") as stream:
        file, held = Mp4File(stream.fileno(), (64, 48), b"", 0.04), []
        tracemalloc.start()
        for index in range(20_000):
            file.add(b"\0\0\1\xb6" + bytes(index % 7), index * 0.04, index % 12 == 0)
            if index % 15 == 14:
                file.flush()
            if index in (2_000, 19_999):
                held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        file.finish()
    assert held[1] - held[0] < 16_384
    data = (tmp_path / "long.mp4").read_bytes()
    assert int.from_bytes(data[data.rindex(b"stsz") + 12 :][:4], "big") == 20_000


def test_an_mp4_that_somebody_cut_while_it_grew_is_an_error_at_its_end(tmp_path: Path) -> None:
    with (tmp_path / "cut.mp4").open("w+b") as stream:
        file = Mp4File(stream.fileno(), (64, 48), b"", 0.04)
        file.add(b"\0\0\1\xb6", 0.0, key=True)
        file.flush()
        stream.truncate(100)
        with pytest.raises(OSError, match="not there any more"):
            file.finish()
