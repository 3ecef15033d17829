"""Videos stay readable after a kill, on a full disk and after an error of the encoder."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="videos are written by PyAV: the extra video")

import av

import edgecnn
from edgecnn.errors import InputError
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.sinks.files.growing_file import GrowingFile
from edgecnn.runtime.sinks.files.video import VideoSink
from edgecnn.runtime.sinks.files.video_writer import FORMATS, VideoWriter
from edgecnn.runtime.sinks.queue import QueuedSink
from edgecnn.types import Detections, Frame, Result
from tests.runtime.sinks.videos import BUSY_S, frames_of, probed, result, times_of

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
            count = tmp_path / f"{path.name}.count"
            # by frames, not by time alone: a busy machine writes hardly any in the same time
            frame, end = chance.randrange(150), time.perf_counter() + 20
            while int.from_bytes(count.read_bytes(), "little") < frame and time.perf_counter() < end:
                time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            begun = int.from_bytes(count.read_bytes(), "little")
            frames = frames_of(path) if path.exists() else []
            lost.append(begun - len(frames))
            found += bool(frames)
            assert not frames or len(frames) == read_by_pyav(path)
            assert [round(float(frame.mean())) for frame in frames] == pytest.approx([n % 200 for n in range(len(frames))], abs=4)
        forks.stdin.close()
    assert max(lost) <= 25 * 0.4 + 2  # a fragment, and what is being encoded
    assert found > kills / 2


def read_by_pyav(path: Path) -> int:
    count = 0
    # the kill may cut the last packet in two, which PyAV reports and players pass over
    with av.open(str(path)) as video, suppress(av.error.InvalidDataError):
        for _ in video.decode(video=0):
            count += 1
    return count


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
