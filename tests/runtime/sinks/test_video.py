"""Videos: every annotated frame at its time, readable whatever happens to the process or the disk."""

from __future__ import annotations

import errno
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="videos are written by PyAV: the extra video")

import av

import edgecnn
from edgecnn.errors import InputError
from edgecnn.runtime.draw.painter import Painter, class_color
from edgecnn.runtime.draw.shared_painter import SharedPainter
from edgecnn.runtime.sinks.files.growing_file import GrowingFile
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.runtime.sinks.files.video_writer import FORMATS, VideoWriter
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


FORKS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import av, cv2
import numpy as np
from edgecnn.runtime.sinks.files.video_writer import VideoWriter

def record(path, counter):
    image = np.zeros((120, 160, 3), np.uint8)
    file = VideoWriter(Path(path), image, 25)
    for index in range(10**9):
        image[:] = index % 200
        os.pwrite(counter, index.to_bytes(8, "little"), 0)
        file.add(image, index / 25)

cv2.setNumThreads(0)  # threads do not survive a fork
for line in sys.stdin:
    counter = os.open(line.strip() + ".count", os.O_RDWR | os.O_CREAT)
    child = os.fork()
    if not child:
        record(line.strip(), counter)
    os.close(counter)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "kills"), [(".mp4", 50), (".mkv", 10), (".webm", 10)])
def test_after_a_kill_at_a_random_moment_all_but_the_last_fragment_is_readable(tmp_path: Path, suffix: str, kills: int) -> None:
    chance = random.Random(suffix)
    lost, found = [], 0
    words = [sys.executable, "-c", FORKS, str(Path(edgecnn.__file__).parents[1])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        for kill in range(kills):
            path = tmp_path / f"{kill}{suffix}"
            print(path, file=forks.stdin, flush=True)
            child = int(forks.stdout.readline())
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(child, signal.SIGKILL)
            begun = int.from_bytes((tmp_path / f"{path.name}.count").read_bytes(), "little")
            frames = frames_of(path) if path.exists() else []
            lost.append(begun - len(frames))
            found += bool(frames)
            assert not frames or len(frames) == read_by_pyav(path)
            assert [round(float(frame.mean())) for frame in frames] == pytest.approx([n % 200 for n in range(len(frames))], abs=4)
        forks.stdin.close()
    assert max(lost) <= 25 * 0.4 + 2  # a fragment, and what is being encoded
    assert found > kills / 2


def read_by_pyav(path: Path) -> int:
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


@pytest.mark.parametrize("suffix", FORMATS)
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


@pytest.mark.parametrize("suffix", FORMATS)
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
    file = VideoWriter(tmp_path / "v.mp4", result(0).frame.image, 10)
    for index in range(9):
        file.add(result(index).frame.image, index / 10)
    unwritable = os.open(os.devnull, os.O_RDONLY)
    os.dup2(unwritable, file._file._fd)  # every write fails from here
    os.close(unwritable)

    def go_on() -> None:
        for index in range(9, 20):
            file.add(result(index).frame.image, index / 10)

    with pytest.raises(InputError, match=r"can't write .*v\.mp4: bad file descriptor"):
        go_on()
    with pytest.raises(InputError, match="bad file descriptor"):
        file.add(result(20).frame.image, 2.0)
    with pytest.raises(InputError, match="bad file descriptor"):
        file.close()
    file.close()
    assert times_of(tmp_path / "v.mp4") == [round(n / 10, 2) for n in range(8)]


def test_a_disk_that_is_full_when_the_index_is_written_leaves_the_fragments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = VideoWriter(tmp_path / "v.mp4", result(0).frame.image, 10)
    for index in range(20):
        file.add(result(index).frame.image, index / 10)
    written = file._file.end
    monkeypatch.setattr(os, "pwrite", full_after(written + 100))
    with pytest.raises(InputError, match="no space left on device"):
        file.close()
    monkeypatch.undo()
    assert (tmp_path / "v.mp4").stat().st_size == written
    assert len(frames_of(tmp_path / "v.mp4")) >= 16
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def full_after(limit: int) -> Callable[[int, Any, int], int]:
    """An ``os.pwrite`` of a disk with room for ``limit`` bytes of a file."""
    pwrite = os.pwrite

    def write(fd: int, data: Any, place: int) -> int:
        if place >= limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(fd, data[: limit - place], place)

    return write


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_kill_while_the_file_is_finished_leaves_it_readable(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = VideoWriter(tmp_path / f"v{suffix}", result(0).frame.image, 10)
    for index in range(20):
        file.add(result(index).frame.image, index / 10)
    copies: list[Path] = []
    pwrite = os.pwrite

    def write(fd: int, data: Any, place: int) -> int:
        copies.append(tmp_path / f"copy{len(copies)}{suffix}")
        shutil.copy(tmp_path / f"v{suffix}", copies[-1])
        return pwrite(fd, data, place)

    monkeypatch.setattr(os, "pwrite", write)
    file.close()
    assert len(copies) >= 2  # the last fragment and the index; then the header
    assert all(len(frames_of(copy)) >= 15 for copy in copies)
    assert len(frames_of(tmp_path / f"v{suffix}")) == 20


def test_an_error_of_the_encoder_is_one_line_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def encode(self, frame: object) -> list[object]:
            raise av.error.ExternalError(1, "the encoder broke")

    file = VideoWriter(tmp_path / "v.mp4", result(0).frame.image, 10)
    monkeypatch.setattr(file, "_stream", Broken())
    with pytest.raises(InputError, match=r"can't write .*v\.mp4: .*the encoder broke"):
        file.add(result(0).frame.image, 0.0)
    with pytest.raises(InputError):
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


def test_a_header_is_patched_last_and_never_after_an_error(tmp_path: Path) -> None:
    for broken in (False, True):
        file = GrowingFile(tmp_path / str(broken))
        file.write(b"head....")
        file.write(b"fragment")
        file.mark_whole()
        if broken:
            file.error = OSError(errno.EIO, "broken")
        file.seek(4)
        file.write(b"DONE")
        assert (tmp_path / str(broken)).read_bytes() == b"head....fragment"
        file.seek(0, os.SEEK_END)
        file.write(b"index")
        file.close()
        file.write(b"late")
        assert (tmp_path / str(broken)).read_bytes() == (b"head....fragment" if broken else b"headDONEfragmentindex")


@pytest.mark.parametrize("size", [(2, 2), (5, 3), (16, 2000)], ids=str)
def test_odd_little_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    for suffix in FORMATS:
        file = VideoWriter(tmp_path / f"v{suffix}", np.zeros((*size, 3), np.uint8), 10)
        file.add(np.zeros((*size, 3), np.uint8), 0.0)
        file.close()
        assert len(frames_of(tmp_path / f"v{suffix}")) == 1
