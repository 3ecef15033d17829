"""Video in a Matroska or WebM file that can be read at every moment (RFC 8794, RFC 9559).

While it grows its segment and its last cluster have no stated size, as in a live stream. At the end the sizes, the duration and an
index for seeking are filled in.
"""

from __future__ import annotations

import os
import struct
from array import array
from contextlib import suppress

_UNKNOWN = bytes.fromhex("01ffffffffffffff")
_CLUSTER_MS = 2000
_ROOM = 160  # for the list of parts, at the front


class MatroskaFile:
    """Adds packets of one track to the open file ``fd``. ``codec`` is a Matroska codec id, ``header`` its private data, times seconds.

    Every method raises ``OSError`` where the file can't be written; what was whole before stays readable.
    """

    pending_bytes = 0

    def __init__(self, fd: int, size: tuple[int, int], codec: str, header: bytes, frame_s: float) -> None:
        self._fd, self._frame_ms = fd, max(round(frame_s * 1000), 1)
        begin = _ebml(0x1A45DFA3, _kind(codec))
        self._segment = len(begin) + 12  # where positions inside the segment count from
        begin += _id(0x18538067) + _UNKNOWN + _void(_ROOM)
        self._duration = len(begin) + 4 + 8 + 2 + 1  # id and size of Info and of Duration itself
        self._info = len(begin) - self._segment
        begin += _info()
        self._tracks = len(begin) - self._segment
        begin += _track(size, codec, header)
        self._write(begin, 0)
        self._end, self._cluster, self._cluster_ms, self._last_ms = len(begin), 0, 0, 0
        self._cues = array("Q")  # a time and a place after the other

    def add(self, packet: bytes, at: float, key: bool) -> None:
        """One picture, shown from ``at`` seconds on; times grow."""
        now = max(round(at * 1000), self._last_ms)
        begin, cluster = b"", self._cluster
        if not cluster or (key and now - self._cluster_ms >= _CLUSTER_MS) or now - self._cluster_ms > 30_000:
            self._end_cluster()
            cluster, self._cluster_ms = self._end, now
            begin = _id(0x1F43B675) + _UNKNOWN + _uint(0xE7, now)
        block = struct.pack(">BhB", 0x81, now - self._cluster_ms, 0x80 if key else 0) + packet
        data = begin + _ebml(0xA3, block)
        self._append(data)
        if begin and key:
            self._cues.extend((now, cluster - self._segment))
        self._end, self._cluster, self._last_ms = self._end + len(data), cluster, now

    def flush(self) -> None:
        """Say how long it is by now; all else is written already."""
        self._write(struct.pack(">d", self._last_ms + self._frame_ms), self._duration)

    def finish(self) -> None:
        """Fill in the sizes, the duration and the index."""
        self._end_cluster()
        self.flush()
        cues = _ebml(0x1C53BB6B, b"".join(_cue(*cue) for cue in zip(self._cues[::2], self._cues[1::2], strict=True)))
        self._append(cues)
        self._write(_seek_head(self._info, self._tracks, self._end - self._segment), self._segment)
        self._write(_size(self._end + len(cues) - self._segment), self._segment - 8)

    def _end_cluster(self) -> None:
        if self._cluster:
            self._write(_size(self._end - self._cluster - 12), self._cluster + 4)

    def _append(self, data: bytes) -> None:
        try:
            self._write(data, self._end)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise

    def _write(self, data: bytes, place: int) -> None:
        view = memoryview(data)
        while view:
            done = os.pwrite(self._fd, view, place)
            view, place = view[done:], place + done


def _kind(codec: str) -> bytes:
    name = b"webm" if codec == "V_VP8" else b"matroska"
    head = _uint(0x4286, 1) + _uint(0x42F7, 1) + _uint(0x42F2, 4) + _uint(0x42F3, 8)
    return head + _ebml(0x4282, name) + _uint(0x4287, 4) + _uint(0x4285, 2)


def _info() -> bytes:
    body = _id(0x4489) + b"\x88" + struct.pack(">d", 0.0)
    body += _uint(0x2AD7B1, 1_000_000) + _ebml(0x4D80, b"edgecnn") + _ebml(0x5741, b"edgecnn")
    return _id(0x1549A966) + _size(len(body)) + body


def _track(size: tuple[int, int], codec: str, header: bytes) -> bytes:
    picture = _ebml(0xE0, _uint(0xB0, size[0]) + _uint(0xBA, size[1]))
    body = _uint(0xD7, 1) + _uint(0x73C5, 1) + _uint(0x83, 1) + _uint(0x9C, 0) + _ebml(0x86, codec.encode())
    body += _ebml(0x63A2, header) if header else b""
    return _ebml(0x1654AE6B, _ebml(0xAE, body + picture))


def _cue(at_ms: int, place: int) -> bytes:
    return _ebml(0xBB, _uint(0xB3, at_ms) + _ebml(0xB7, _uint(0xF7, 1) + _uint(0xF1, place)))


def _seek_head(info: int, tracks: int, cues: int) -> bytes:
    places = ((0x1549A966, info), (0x1654AE6B, tracks), (0x1C53BB6B, cues))
    head = _ebml(0x114D9B74, b"".join(_ebml(0x4DBB, _ebml(0x53AB, _id(kind)) + _uint(0x53AC, place)) for kind, place in places))
    return head + _void(_ROOM - len(head))


def _void(size: int) -> bytes:
    """An element of ``size`` bytes in all that says nothing."""
    return b"\xec" + _size(size - 9) + bytes(size - 9)


def _id(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(number: int) -> bytes:
    """In eight bytes, so that it can be filled in later."""
    return (number | 1 << 56).to_bytes(8, "big")


def _ebml(kind: int, body: bytes) -> bytes:
    return _id(kind) + _size(len(body)) + body


def _uint(kind: int, value: int) -> bytes:
    body = value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big")
    return _id(kind) + bytes([0x80 | len(body)]) + body
