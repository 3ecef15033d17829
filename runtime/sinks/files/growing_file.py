"""A file object for the muxer of FFmpeg that ends in a complete fragment even after a kill or on a full disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from edgecnn.files import sync_descriptor


class GrowingFile:
    """A writable, seekable file whose header is patched last.

    PyAV calls ``write``, ``seek`` and ``tell`` in the thread that muxes. They never raise: after an error FFmpeg would still
    write its trailer and so corrupt a readable file. The first ``OSError`` is stored in ``error``, and nothing is written after
    it.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self.error: OSError | None = None
        self._closed = False
        self.end = 0  # bytes in the file
        self._place = 0  # where the next write goes
        self.whole = 0  # bytes up to the end of the last whole fragment
        self._patches: list[tuple[int, bytes]] = []

    def write(self, data: bytes) -> int:
        """Append ``data``; writes over earlier bytes are delayed until ``close``."""
        if self._closed:
            pass  # the number of the descriptor may be another file's by now
        elif self._place < self.end:
            # Trailers seek back to fill in sizes, durations and where the index is. A process that is killed in between must find
            # the file as it was, so these few bytes go last.
            self._patches.append((self._place, bytes(data)))
        elif self.error is None:
            self._append(data)
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position in bytes and return it."""
        self._place = offset + (0, self._place, self.end)[whence]
        return self._place

    def tell(self) -> int:
        """Return the position of the next write in bytes."""
        return self._place

    def mark_whole(self) -> None:
        """Mark the bytes written so far as complete fragments, which are kept after an error."""
        if self.error is None:
            self.whole = self.end

    def close(self) -> None:
        """Apply the delayed writes and close the file; after an error the file keeps its complete fragments only."""
        if self._closed:
            return
        self._closed = True
        try:
            for place, data in self._patches if self.error is None else ():
                _write_at(self._fd, data, place)
            if self.error is None:
                sync_descriptor(self._fd)
        except OSError as error:
            self.error = error
        finally:
            os.close(self._fd)

    def _append(self, data: bytes) -> None:
        try:
            _write_at(self._fd, data, self._place)
        except OSError as error:
            self.error = error
            with suppress(OSError):
                os.ftruncate(self._fd, self.whole)
        self.end = max(self.end, self._place + len(data))


def _write_at(fd: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, place)
        view, place = view[done:], place + done
