"""Shares outputs between cameras; an output is closed when its last camera is removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.runtime.sinks.queue import QueueCounts, QueuedSink, SinkState
from edgecnn.types import Event, Result


class SharedSink:
    """The handle of one camera for a shared output; forwards to a ``QueuedSink`` and closes it for the last camera only.

    ``file`` is the path of the output, "" if it is no file.
    """

    def __init__(self, queued: QueuedSink, file: str, release: Callable[[SharedSink], bool]) -> None:
        self.queued, self.file, self._release = queued, file, release
        self._left, self._last = False, False

    @property
    def name(self) -> str:
        """The name of the output."""
        return self.queued.name

    @property
    def state(self) -> SinkState:
        """The state of the output."""
        return self.queued.state

    @property
    def detail(self) -> str:
        """The reason for the state, in one line."""
        return self.queued.detail

    @property
    def counts(self) -> QueueCounts:
        """Counts of all cameras of the output together."""
        return self.queued.counts

    @property
    def error(self) -> Exception | None:
        """The last error of the output."""
        return self.queued.error

    @property
    def broken(self) -> bool:
        """Whether an item could not be written."""
        return self.queued.broken

    def write(self, result: Result) -> None:
        """Queue a result of this camera."""
        self.queued.write(result)

    def write_event(self, event: Event) -> None:
        """Queue an event of this camera."""
        self.queued.write_event(event)

    def begin_close(self) -> None:
        """Accept no more items of this camera."""
        if not self._left:
            self._left = True
            self._last = self._release(self)
            if self._last:
                self.queued.begin_close()

    def close(self) -> None:
        """Release the output, and close it if this was the last camera."""
        self.begin_close()
        if self._last:
            self.queued.close()


class SharedSinks:
    """Opens each output once by kind and target, and counts its cameras; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[tuple[str, str], tuple[QueuedSink, list[SharedSink], str]] = {}
        self._begun: set[str] = set()

    @property
    def sinks(self) -> list[QueuedSink]:
        """All open outputs, each once."""
        with self._lock:
            return [queued for queued, _, _ in self._open.values()]

    def begun(self, target: str) -> bool:
        """Return whether this run wrote to ``target`` before, so that it must append."""
        return _canonical(target) in self._begun

    def join(
        self, kind: str, target: str, camera: str, make: Callable[[], QueuedSink], *, shared: bool, file: bool
    ) -> SharedSink:
        """Return the handle of ``camera``; ``make`` opens the output if it is not open yet.

        Raises ``InputError`` if another kind of output uses the target, or another camera and the output can't be shared.
        """
        # Held while the output is opened: two cameras must not open the same file at the same time.
        with self._lock:
            place = _canonical(target) if file else target
            self._check(kind, place, camera, shared=shared, file=file)
            queued, handles, _ = self._open.get((kind, place)) or (make(), [], camera)
            handle = SharedSink(queued, target if file and target != "-" else "", lambda one: self._leave((kind, place), one))
            handles.append(handle)
            self._open[kind, place] = queued, handles, camera
            if file:
                self._begun.add(place)
            return handle

    def _check(self, kind: str, place: str, camera: str, *, shared: bool, file: bool) -> None:
        for (other, there), (_, _, whose) in self._open.items():
            if file and there == place and other != kind:
                raise InputError(f"--{kind}: {place} is already written by --{other}", "name another file")
            if there == place and other == kind and not shared:
                raise InputError(
                    f"--{kind}: the cameras {whose} and {camera} would both write {place}", "put {camera} into the name"
                )

    def _leave(self, key: tuple[str, str], handle: SharedSink) -> bool:
        with self._lock:
            _, handles, _ = self._open[key]
            handles.remove(handle)
            if handles:
                return False
            del self._open[key]
            return True


def _canonical(target: str) -> str:
    """Return a canonical name, so that two spellings of a path are the same target."""
    return target if target == "-" else str(Path(target).absolute())
