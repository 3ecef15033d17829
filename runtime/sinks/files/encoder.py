"""OpenCV's video encoder as what it is inside: pictures in, packets out.

OpenCV hands no option to FFmpeg's containers, and these lose all (MP4) or the last quarter megabyte of a file whose writer was
killed. So FFmpeg writes an AVI stream into a pipe, where it holds nothing back, and the packets are taken out of that.
"""

from __future__ import annotations

import os
import select
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2

from edgecnn.errors import InputError
from edgecnn.runtime.sources.opencv_logging import native_stderr_silenced, silence_video_logs
from edgecnn.types import Image

Codec = Literal["mp4v", "VP80"]
_CHUNK, _INDEX = b"00dc", b"idx1"
_LOOK_UP_S = 0.5
_END_WITHIN_S = 5.0


class Encoder:
    """Encodes pictures of one ``size`` (width, height), both even; ``take`` gets each packet, and None about every half second, in a
    thread of its own.

    The pipe is made in the folder for temporary files, or in ``spare`` where there is none. Raises ``InputError`` where this build
    of OpenCV has no such encoder, and where no pipe can be made.
    """

    def __init__(
        self, codec: Codec, size: tuple[int, int], fps: float, take: Callable[[bytes | None], None], spare: Path | None = None
    ) -> None:
        self._take, self._ending = take, False
        try:
            self._pipe, self._writer = _open(codec, size, fps, None)
        except OSError:
            self._pipe, self._writer = _open_in(spare, codec, size, fps)
        self._thread = threading.Thread(target=self._work, name="edgecnn-packets", daemon=True)
        self._thread.start()

    def add(self, image: Image) -> None:
        """Encode one picture."""
        self._writer.write(image)

    def close(self) -> None:
        """Encode what is left, and wait until all packets are taken."""
        self._writer.release()
        self._ending = True
        self._thread.join(_END_WITHIN_S)

    def _work(self) -> None:
        packets = _Packets()
        try:
            while True:
                ready, _, _ = select.select([self._pipe], [], [], _LOOK_UP_S)
                data = os.read(self._pipe, 1 << 18) if ready else b""
                if not data and (ready or self._ending):
                    return
                for packet in packets.add(data):
                    self._take(packet)
                self._take(None)
        finally:
            os.close(self._pipe)


def _open_in(spare: Path | None, codec: Codec, size: tuple[int, int], fps: float) -> tuple[int, cv2.VideoWriter]:
    try:
        return _open(codec, size, fps, spare)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise InputError(
            "a place for a pipe to the video encoder", found, "set TMPDIR to a folder that can be written"
        ) from error


def _open(codec: Codec, size: tuple[int, int], fps: float, place: Path | None) -> tuple[int, cv2.VideoWriter]:
    silence_video_logs()
    with tempfile.TemporaryDirectory(prefix=".edgecnn-", dir=place) as folder:
        path = Path(folder) / "stream.avi"
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with native_stderr_silenced():
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
    if not writer.isOpened():
        os.close(pipe)
        raise InputError(f"to write a video of {size[0]}x{size[1]}", f"no {codec} encoder in OpenCV", "try .mp4, .mkv or .webm")
    os.set_blocking(pipe, True)
    return pipe, writer


class _Packets:
    """Takes the packets out of an AVI stream that comes in pieces."""

    def __init__(self) -> None:
        self._rest, self._began, self._ended = bytearray(), False, False

    def add(self, data: bytes) -> list[bytes]:
        """The packets that ``data`` completes."""
        self._rest += data
        if not self._began:
            start = self._rest.find(b"movi")
            if start < 0:
                return []
            del self._rest[: start + 4]
            self._began = True
        found = []
        while (packet := self._next()) is not None:
            if packet:
                found.append(packet)
        return found

    def _next(self) -> bytes | None:
        if len(self._rest) < 8 or self._ended:
            return None
        kind, size = bytes(self._rest[:4]), int.from_bytes(self._rest[4:8], "little")
        if kind == _INDEX:
            self._ended = True
            return None
        end = 8 + size + size % 2
        if len(self._rest) < end:
            return None
        packet = bytes(self._rest[8 : 8 + size])
        del self._rest[:end]
        return packet if kind == _CHUNK else b""
