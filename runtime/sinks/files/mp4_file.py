"""MPEG-4 video in an MP4 file that can be read at every moment (ISO/IEC 14496-12).

While it grows it is fragmented: an empty index first, then fragments that each say what they hold. At the end they are read back,
one full index is added, and 16 bytes at the front turn all fragments into the plain data that it points to: an ordinary file, which
any player seeks in. Killed before that, it stays a fragmented file. Memory does not grow with the length of the video.
"""

from __future__ import annotations

import errno
import os
import struct
from array import array
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

TIMESCALE = 90_000
_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_KEY, _OTHER = 0x02000000, 0x01010000  # sample flags: depends on nothing; depends on others and is no sync sample
_MOOF = 88  # bytes of a fragment's head before its samples


@dataclass(slots=True)
class _Index:
    """Of the samples: ticks and bytes of each, which are keys (from 1), where their chunks begin, how many each chunk has."""

    ticks: array[int] = field(default_factory=lambda: array("I"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    keys: array[int] = field(default_factory=lambda: array("I"))
    chunks: array[int] = field(default_factory=lambda: array("Q"))
    chunk_sizes: array[int] = field(default_factory=lambda: array("I"))
    end: int = 0

    def add(self, moof: bytes, data: int) -> None:
        """A fragment whose head is ``moof``, as ``Mp4File`` writes it, and whose data begin at ``data``."""
        (start,) = struct.unpack_from(">Q", moof, 60)
        if self.ticks:
            self.ticks[-1] += start - self.end
        self.end = start
        self.chunks.append(data)
        self.chunk_sizes.append((len(moof) - _MOOF) // 12)
        for ticks, size, flags in struct.iter_unpack(">III", moof[_MOOF:]):
            self.ticks.append(ticks)
            self.sizes.append(size)
            self.end += ticks
            if flags == _KEY:
                self.keys.append(len(self.sizes))


class Mp4File:
    """Adds packets of one track to ``fd``, a file open to be read and written.

    ``header`` is the stream's VOL header, sizes are pixels, times seconds.
    Every method raises ``OSError`` where the file can't be written; what was whole before stays readable.
    """

    def __init__(self, fd: int, size: tuple[int, int], header: bytes, frame_s: float) -> None:
        self._fd, self._size, self._header = fd, size, header
        self._frame = max(round(frame_s * TIMESCALE), 1)
        self._pending: list[tuple[int, bytes, bool]] = []
        begin = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso5iso6mp41")
        self._free = len(begin)
        begin += _box(b"free", bytes(8)) + self._moov(None)
        _write(fd, begin, 0)
        self._first = self._end = len(begin)
        self._fragments = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes that a killed process would lose."""
        return sum(len(packet) for _, packet, _ in self._pending)

    def add(self, packet: bytes, at: float, key: bool) -> None:
        """One picture, shown from ``at`` seconds on; times grow. It is in the file after ``flush``."""
        self._pending.append((round(at * TIMESCALE), packet, key))

    def flush(self) -> None:
        """Write what was added as one fragment; where that does not fit, as much of it as does."""
        pending, self._pending = self._pending, []
        broke: OSError | None = None
        while pending:
            try:
                self._write_fragment(pending)
            except OSError as error:
                broke, pending = error, pending[: len(pending) // 2]
            else:
                break
        if broke is not None:
            raise broke

    def finish(self) -> None:
        """Flush, and make it an ordinary file."""
        self.flush()
        self._append(self._moov(self._read_back()))
        _write(self._fd, struct.pack(">I4sQ", 1, b"mdat", self._end - self._free), self._free)

    def _write_fragment(self, pending: list[tuple[int, bytes, bool]]) -> None:
        durations = self._durations([start for start, _, _ in pending])
        moof = self._moof(pending, durations)
        data = b"".join(packet for _, packet, _ in pending)
        self._append(moof + _box(b"mdat", data))
        self._fragments += 1
        self._end += len(moof) + 8 + len(data)

    def _append(self, data: bytes) -> None:
        try:
            _write(self._fd, data, self._end)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise

    def _durations(self, starts: list[int]) -> list[int]:
        return [max(later - start, 0) for start, later in pairwise(starts)] + [self._frame]

    def _read_back(self) -> _Index:
        index, place = _Index(), self._first
        while place < self._end:
            moof = os.pread(self._fd, _size_at(self._fd, place), place)
            place += len(moof)
            index.add(moof, place + 8)
            place += _size_at(self._fd, place)
        return index

    def _moof(self, pending: list[tuple[int, bytes, bool]], durations: list[int]) -> bytes:
        rows = zip(pending, durations, strict=True)
        samples = b"".join(struct.pack(">III", ticks, len(packet), _KEY if key else _OTHER) for (_, packet, key), ticks in rows)
        number = struct.pack(">I", self._fragments + 1)
        size = _MOOF + len(samples)
        traf = (
            _full(b"tfhd", 0, 0x020000, struct.pack(">I", 1))
            + _full(b"tfdt", 1, 0, struct.pack(">Q", pending[0][0]))
            + _full(b"trun", 0, 0x000701, struct.pack(">Ii", len(pending), size + 8), samples)
        )
        moof = _box(b"moof", _full(b"mfhd", 0, 0, number), _box(b"traf", traf))
        assert len(moof) == size
        return moof

    def _moov(self, index: _Index | None) -> bytes:
        """The box of the whole film, empty while it grows."""
        length = sum(index.ticks) if index is not None else 0
        mvhd = struct.pack(">QQIQ", 0, 0, TIMESCALE, length) + struct.pack(">IHHQ", 0x10000, 0x100, 0, 0) + _MATRIX
        mvhd += bytes(24) + struct.pack(">I", 2)
        mvex = _box(b"mvex", _full(b"trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0))) if index is None else b""
        return _box(b"moov", _full(b"mvhd", 1, 0, mvhd), self._track(length, index), mvex)

    def _track(self, length: int, index: _Index | None) -> bytes:
        width, height = self._size
        tkhd = struct.pack(">QQIIQ", 0, 0, 1, 0, length) + bytes(8) + struct.pack(">4H", 0, 0, 0, 0) + _MATRIX
        tkhd += struct.pack(">II", width << 16, height << 16)
        mdhd = struct.pack(">QQIQHH", 0, 0, TIMESCALE, length, 0x55C4, 0)
        hdlr = bytes(4) + b"vide" + bytes(12) + b"edgecnn\0"
        dinf = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
        minf = _box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), dinf, self._samples(index))
        mdia = _box(b"mdia", _full(b"mdhd", 1, 0, mdhd), _full(b"hdlr", 0, 0, hdlr), minf)
        return _box(b"trak", _full(b"tkhd", 1, 3, tkhd), mdia)

    def _samples(self, index: _Index | None) -> bytes:
        stsd = _full(b"stsd", 0, 0, struct.pack(">I", 1), self._entry())
        if index is None:
            empty = _full(b"stts", 0, 0, bytes(4)) + _full(b"stsc", 0, 0, bytes(4))
            return _box(b"stbl", stsd, empty, _full(b"stsz", 0, 0, bytes(8)), _full(b"stco", 0, 0, bytes(4)))
        return _box(
            b"stbl",
            stsd,
            _full(b"stts", 0, 0, _runs(index.ticks)),
            _full(b"stss", 0, 0, struct.pack(">I", len(index.keys)), _big(index.keys)),
            _full(b"stsc", 0, 0, _chunk_runs(index.chunk_sizes)),
            _full(b"stsz", 0, 0, struct.pack(">II", 0, len(index.sizes)), _big(index.sizes)),
            _full(b"co64", 0, 0, struct.pack(">I", len(index.chunks)), _big(index.chunks)),
        )

    def _entry(self) -> bytes:
        """The sample entry with the elementary stream descriptor of ISO/IEC 14496-1."""
        config = struct.pack(">BBIII", 0x20, 0x11, 0, 0, 0)[:13] + _descriptor(5, self._header)
        stream = struct.pack(">HB", 1, 0) + _descriptor(4, config) + _descriptor(6, b"\x02")
        picture = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HHIIIH", *self._size, 0x480000, 0x480000, 0, 1)
        return _box(b"mp4v", picture, bytes(32), struct.pack(">Hh", 24, -1), _full(b"esds", 0, 0, _descriptor(3, stream)))


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _descriptor(tag: int, body: bytes) -> bytes:
    size = len(body)
    return bytes([tag, 0x80 | size >> 21, 0x80 | size >> 14 & 0x7F, 0x80 | size >> 7 & 0x7F, size & 0x7F]) + body


def _big(numbers: array[int]) -> bytes:
    """Big-endian."""
    swapped = array(numbers.typecode, numbers)
    if struct.pack("=H", 1) == struct.pack("<H", 1):
        swapped.byteswap()
    return swapped.tobytes()


def _runs(durations: array[int]) -> bytes:
    runs: list[list[int]] = []
    for ticks in durations:
        if runs and runs[-1][1] == ticks:
            runs[-1][0] += 1
        else:
            runs.append([1, ticks])
    return struct.pack(">I", len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)


def _chunk_runs(sizes: array[int]) -> bytes:
    runs = [(place + 1, size, 1) for place, size in enumerate(sizes) if not place or sizes[place - 1] != size]
    return struct.pack(">I", len(runs)) + b"".join(struct.pack(">III", *run) for run in runs)


def _size_at(fd: int, place: int) -> int:
    """Of the box that begins there."""
    if size := int.from_bytes(os.pread(fd, 4, place), "big"):
        return size
    raise OSError(errno.EIO, "what was written is not there any more")


def _write(fd: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, place)
        view, place = view[done:], place + done
