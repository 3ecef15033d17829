"""A thread that reads a source, so that a read that hangs in a driver can be abandoned."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import dataclass

from edgecnn.runtime.pipeline.mailbox import Closed, Mailbox
from edgecnn.runtime.sources.base import Source
from edgecnn.types import Frame

_WAIT_S = 0.2
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The source has no more frames: it ended, or failed with ``error``."""

    error: Exception | None = None


class ReaderThread:
    """Iterates ``source`` in a daemon thread, which waits until each frame was taken, so that none is lost."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._mailbox: Mailbox[Frame | EndOfStream] = Mailbox(1)
        self.name = f"edgecnn-read-{next(_numbers)}"
        self._thread = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._thread.start()

    def get(self, timeout: float) -> Frame | EndOfStream | None:
        """The next frame or the end; None where nothing came within ``timeout`` seconds or after ``stop``."""
        try:
            return self._mailbox.get(timeout)[1]
        except (Closed, TimeoutError):
            return None

    def stop(self) -> None:
        """Request the end of the thread and of a waiting ``get``, from any thread."""
        self._source.close()
        self._mailbox.close()
        self._mailbox.drain()

    def join(self, timeout: float) -> bool:
        """Stop; returns whether the thread ended and released its device within ``timeout`` seconds."""
        self.stop()
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
                self._mailbox.put(item, _WAIT_S)
                return
            except TimeoutError:  # the caller is busy with the frame before
                continue
