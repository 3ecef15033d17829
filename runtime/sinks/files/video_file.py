"""One video file: pictures with their times in; readable at every moment, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np

from edgecnn.errors import InputError
from edgecnn.files import temporary_path, write_error
from edgecnn.runtime.sinks.files.encoder import Codec, Encoder
from edgecnn.runtime.sinks.files.matroska_file import MatroskaFile
from edgecnn.runtime.sinks.files.mp4_file import Mp4File
from edgecnn.types import Image

# Encoders that every build of OpenCV for pip brings. MPEG-4 costs about 1.5 ms a frame at 768x432, VP8 about 20; browsers play VP8.
CODECS: dict[str, Codec] = {".mp4": "mp4v", ".mkv": "mp4v", ".webm": "VP80"}
_LOSE_S = 0.4
_LOSE_BYTES = 1 << 20


def check_suffix(path: Path) -> None:
    """Raise ``InputError`` where no container goes by the name's suffix."""
    if path.suffix.lower() not in CODECS:
        raise InputError(f"a video name that ends in {', '.join(CODECS)}", path.name, "name it so")


class VideoFile:
    """Writes pictures to ``path``; its suffix picks container and codec (.mp4, .mkv: MPEG-4; .webm: VP8).

    The first picture (H, W, 3) gives the size; others are fitted into it. ``fps`` tells how long the last one is shown and what the
    encoder spends on each. What was at ``path`` is replaced when the first picture is in the new file. A full disk or a
    killed process costs at most about the last half second. Raises ``InputError`` in one line where it can't be written on.
    """

    def __init__(self, path: Path, first: Image, fps: float) -> None:
        height, width = first.shape[:2]
        self.path, self.fps = path, fps
        self.size = max(width - width % 2, 2), max(height - height % 2, 2)
        self.codec = CODECS[path.suffix.lower()]
        self.frames = 0
        self._part = temporary_path(path)
        self._times: deque[float] = deque()
        self._lock = threading.Lock()
        self._muxer: Mp4File | MatroskaFile | None = None
        self._error: OSError | None = None
        self._last, self._flushed_at, self._closed = -1.0, 0.0, False
        try:
            self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            self._encoder = Encoder(self.codec, self.size, fps, self._take, path.parent)
        except BaseException:
            self._drop_file()
            raise

    @property
    def seconds(self) -> float:
        """When the last picture begins."""
        return max(self._last, 0.0)

    def add(self, image: Image, at: float) -> None:
        """Show ``image`` from ``at`` seconds on, at least a thousandth after the one before."""
        self._raise()
        self._last = max(at, self._last + 1e-3) if self._last >= 0 else max(at, 0.0)
        with self._lock:
            self._times.append(self._last)
        self._encoder.add(fitted(image, self.size))
        self.frames += 1

    def close(self) -> None:
        """Finish the file. Raises ``InputError`` where it could not be written whole; what is there can be read."""
        if self._closed:
            return
        self._closed = True
        self._encoder.close()
        try:
            if self._muxer is not None and self._error is None:
                self._muxer.finish()
        except OSError as error:
            self._error = error
        if self._muxer is None:
            self._drop_file()
        else:
            os.close(self._fd)
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise write_error(self.path, self._error)

    def _drop_file(self) -> None:
        os.close(self._fd)
        self._part.unlink(missing_ok=True)

    # the thread of the packets

    def _take(self, packet: bytes | None) -> None:
        if self._error is not None:
            return  # goes on taking, or the encoder would wait for ever
        try:
            if packet is not None:
                self._add_packet(packet)
            elif self._muxer is not None and time.perf_counter() - self._flushed_at >= _LOSE_S:
                self._flush(self._muxer)
        except OSError as error:
            self._error = error
        except Exception as error:  # a thread that ended would leave the encoder writing to nobody
            self._error = OSError(0, f"{type(error).__name__}: {error}")

    def _add_packet(self, packet: bytes) -> None:
        with self._lock:
            at = self._times.popleft() if self._times else self._last
        header = vol_header(packet) if self.codec == "mp4v" else b""
        muxer = self._muxer or self._begin(header)
        muxer.add(packet[len(header) :], at, is_key(packet[len(header) :], self.codec))
        if self._muxer is None:
            self._flush(muxer)
            self._part.replace(self.path)
            self._muxer = muxer
        elif muxer.pending_bytes > _LOSE_BYTES or time.perf_counter() - self._flushed_at >= _LOSE_S:
            self._flush(muxer)

    def _begin(self, header: bytes) -> Mp4File | MatroskaFile:
        if self.path.suffix.lower() == ".mp4":
            return Mp4File(self._fd, self.size, header, 1 / self.fps)
        name = "V_VP8" if self.codec == "VP80" else "V_MPEG4/ISO/ASP"
        return MatroskaFile(self._fd, self.size, name, header, 1 / self.fps)

    def _flush(self, muxer: Mp4File | MatroskaFile) -> None:
        self._flushed_at = time.perf_counter()
        muxer.flush()


def vol_header(packet: bytes) -> bytes:
    """What an MPEG-4 packet says of the whole stream: all before its first group or picture (ISO/IEC 14496-2, start codes B3, B6)."""
    starts = [place for code in (b"\0\0\1\xb3", b"\0\0\1\xb6") if (place := packet.find(code)) >= 0]
    return packet[: min(starts)] if starts else b""


def is_key(packet: bytes, codec: Codec) -> bool:
    """Whether a picture stands alone: the type of an MPEG-4 VOP, the first bit of a VP8 frame."""
    if codec == "VP80":
        return not packet[0] & 1
    place = packet.find(b"\0\0\1\xb6") + 4
    return 4 <= place < len(packet) and packet[place] >> 6 == 0


def fitted(image: Image, size: tuple[int, int]) -> Image:
    """As large as ``size``: cut by at most a pixel for the encoder, or scaled with black bars where the source changed."""
    width, height = size
    if image.shape[0] - height in (0, 1) and image.shape[1] - width in (0, 1):
        return np.ascontiguousarray(image[:height, :width])
    ratio = min(width / image.shape[1], height / image.shape[0])
    new_w, new_h = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)
    canvas = np.zeros((height, width, 3), np.uint8)
    x, y = (width - new_w) // 2, (height - new_h) // 2
    canvas[y : y + new_h, x : x + new_w] = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA)
    return canvas
