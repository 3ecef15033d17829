"""A thread that reads a source for somebody who can leave it behind."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import dataclass

from edgecnn.runtime.pipeline.mailbox import Closed, Mailbox
from edgecnn.runtime.sources.base import Source
from edgecnn.types import Frame

_PATIENCE_S = 0.2
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The source gives no more frames: it ended, or broke with ``error``."""

    error: Exception | None = None


class ReaderThread:
    """Iterates ``source`` in a thread, which waits until each frame was taken, so that none is lost between the two."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._handed: Mailbox[Frame | EndOfStream] = Mailbox(1)
        self.name = f"edgecnn-read-{next(_numbers)}"
        self._thread = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._thread.start()

    def get(self, timeout: float) -> Frame | EndOfStream | None:
        """The next frame, the end, or None where nothing came within ``timeout`` seconds or the reader was told to end."""
        try:
            return self._handed.get(timeout)[1]
        except (Closed, TimeoutError):
            return None

    def wake(self) -> None:
        """Tell the reader and who waits for it to end, from any thread."""
        self._source.close()
        self._handed.close()
        self._handed.drain()

    def end(self, timeout: float) -> bool:
        """Whether the thread ended and let its device go within ``timeout`` seconds; a daemon that hangs is left alone."""
        self.wake()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Whether the thread still holds the device."""
        return self._thread.is_alive()

    def _read(self) -> None:
        frames, end = iter(self._source), EndOfStream()
        try:
            for frame in frames:
                self._hand(frame)
        except Closed:
            pass
        except Exception as problem:
            end = EndOfStream(problem)
        finally:
            frames.close()
        with suppress(Closed):
            self._hand(end)

    def _hand(self, item: Frame | EndOfStream) -> None:
        while True:
            try:
                self._handed.put(item, _PATIENCE_S)
                return
            except TimeoutError:
                continue
