"""The outputs of a run with several cameras: some serve one camera, some are shared; each is closed when its last camera leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.runtime.sinks.queue import QueueCounts, QueuedSink, SinkState
from edgecnn.types import Event, Result


class SharedSink:
    """One camera's part in an output. It looks like the ``QueuedSink`` behind it, but ends that only when no other camera is left.

    ``file`` is what it writes, "" where that is no file.
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
        """How the output fares."""
        return self.queued.state

    @property
    def detail(self) -> str:
        """Why, in one line."""
        return self.queued.detail

    @property
    def counts(self) -> QueueCounts:
        """Of all cameras together."""
        return self.queued.counts

    @property
    def error(self) -> Exception | None:
        """What it failed with last."""
        return self.queued.error

    @property
    def broken(self) -> bool:
        """Whether something could not be written."""
        return self.queued.broken

    def write(self, result: Result) -> None:
        """Hand over one result of this camera."""
        self.queued.write(result)

    def write_event(self, event: Event) -> None:
        """Hand over one event of this camera."""
        self.queued.write_event(event)

    def begin_close(self) -> None:
        """Take no more from this camera."""
        if not self._left:
            self._left = True
            self._last = self._release(self)
            if self._last:
                self.queued.begin_close()

    def close(self) -> None:
        """Leave, and finish the output where this was the last camera."""
        self.begin_close()
        if self._last:
            self.queued.close()


class SharedSinks:
    """Opens outputs by kind and target, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[tuple[str, str], tuple[QueuedSink, list[SharedSink], str]] = {}
        self._begun: set[str] = set()

    @property
    def sinks(self) -> list[QueuedSink]:
        """All outputs that are open, each once."""
        with self._lock:
            return [queued for queued, _, _ in self._open.values()]

    def begun(self, target: str) -> bool:
        """Whether this run wrote to ``target`` before, so that it has to go on there."""
        return _same(target) in self._begun

    def join(
        self, kind: str, target: str, camera: str, make: Callable[[], QueuedSink], *, shared: bool, file: bool
    ) -> SharedSink:
        """The outlet of ``camera``; ``make`` opens the output where it is not open yet.

        Raises ``InputError`` where the target is used otherwise: by another kind, or by another camera and it can't be shared.
        """
        with self._lock:
            place = _same(target) if file else target
            self._check(kind, place, camera, shared=shared, file=file)
            queued, outlets, _ = self._open.get((kind, place)) or (make(), [], camera)
            outlet = SharedSink(queued, target if file and target != "-" else "", lambda one: self._leave((kind, place), one))
            outlets.append(outlet)
            self._open[kind, place] = queued, outlets, camera
            if file:
                self._begun.add(place)
            return outlet

    def _check(self, kind: str, place: str, camera: str, *, shared: bool, file: bool) -> None:
        for (other, there), (_, _, whose) in self._open.items():
            if file and there == place and other != kind:
                raise InputError(f"--{kind}: {place} is already written by --{other}", "name another file")
            if there == place and other == kind and not shared:
                raise InputError(
                    f"--{kind}: the cameras {whose} and {camera} would both write {place}", "put {camera} into the name"
                )

    def _leave(self, key: tuple[str, str], outlet: SharedSink) -> bool:
        with self._lock:
            _, outlets, _ = self._open[key]
            outlets.remove(outlet)
            if outlets:
                return False
            del self._open[key]
            return True


def _same(target: str) -> str:
    """Names of the same file are the same."""
    return target if target == "-" else str(Path(target).absolute())
