"""Writes a text file that contains only complete lines at any time."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from edgecnn.files import check_writable, write_error


class LinesFile:
    """Appends complete lines without a buffer, so that a killed process loses none; "-" is standard output.

    An existing file is replaced at the first lines, or extended with ``append``. Above ``rotate_bytes`` the file is renamed to
    ``path``.1 and a new one is started, which limits the disk space. Raises ``InputError`` if the lines can't be written; earlier
    lines remain complete, and later ones are written if that is possible again.
    """

    def __init__(self, path: Path | str, header: str = "", *, rotate_bytes: int | None = None, append: bool = False) -> None:
        self.path, self._header, self._rotate, self._append = Path(path), header.encode(), rotate_bytes, append
        self._to_stdout = str(path) == "-"
        self._file: BinaryIO | None = None
        self._whole = 0
        if not self._to_stdout:
            check_writable(self.path, in_place=True)

    def append(self, lines: str) -> None:
        """Write ``lines``, which end in a newline."""
        data = lines.encode()
        try:
            self._make_room(len(data))
            self._write_whole(data if self._whole else self._header + data)
        # The reader of standard output has ended: QueuedSink ends the output without an error message.
        except BrokenPipeError:
            raise
        except OSError as error:
            self._cut_to_whole_lines()
            raise write_error(self.path, error) from error

    def _make_room(self, size: int) -> None:
        if self._file is not None and self._rotate and self._whole and self._whole + size > self._rotate and not self._to_stdout:
            self._file.close()
            self._file, self._append = None, False
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        if self._file is None:
            self._file = sys.stdout.buffer if self._to_stdout else self.path.open("ab" if self._append else "wb", buffering=0)
            # A pipe or device has no position.
            self._whole = self._file.tell() if self._append and self._file.seekable() else 0

    def _write_whole(self, data: bytes) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]
        self._file.flush()
        self._whole += len(data)

    def _cut_to_whole_lines(self) -> None:
        if self._file is not None and not self._to_stdout:
            with suppress(OSError):  # a device can't be cut
                os.ftruncate(self._file.fileno(), self._whole)
                self._file.seek(self._whole)  # where the next lines go, unless these are appended anyway

    def close(self) -> None:
        """Close the file."""
        if self._file is not None and not self._to_stdout:
            self._file.close()
