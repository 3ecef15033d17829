"""What a run says while it goes on and at its end: to people in lines, to programs in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from edgecnn.cli.live_seats import Seat
from edgecnn.errors import EdgeCnnError
from edgecnn.files import atomic_write
from edgecnn.live.log import JsonLog, is_json

if TYPE_CHECKING:
    from edgecnn.live.log import Level
    from edgecnn.live.status import StatusLine
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera
    from edgecnn.runtime.view.live_view import LiveView
    from edgecnn.runtime.view.terminal import TerminalView
    from edgecnn.types import Event, Result

TOLD = (
    "camera-lost",
    "camera-back",
    "camera-stalled",
    "camera-frozen",
    "camera-failed",
    "size-changed",
    "inference-failed",
    "late",
)


class Voice(Protocol):
    """Prints lines for good: ``say`` on standard output, ``note`` on standard error."""

    def say(self, text: str) -> None: ...  # noqa: D102

    def note(self, text: str) -> None: ...  # noqa: D102


class Plain:
    """Says things where no status line is in the way."""

    def say(self, text: str) -> None:
        """On standard output."""
        click.echo(text)

    def note(self, text: str) -> None:
        """On standard error."""
        click.echo(text, err=True)


class Reporter:
    """Tells how a run goes, in the form that ``form`` names (see ``edgecnn.live.log.is_json``)."""

    def __init__(self, form: Any) -> None:
        self._log = JsonLog() if is_json(form) else None
        self._voice: Voice = Plain()

    @contextmanager
    def saying(self, values: Mapping[str, Any], station: MultiCamera, view: LiveView | None) -> Iterator[None]:
        """While entered, somebody is told how it goes."""
        from edgecnn.cli.live_view import open_status
        from edgecnn.live.log import Heartbeat

        with ExitStack() as stack:
            if self._log is not None:
                stack.enter_context(Heartbeat(self._log, station))
            else:
                self._voice = _entered(stack, open_status(values, station, view))
            yield
        self._voice = Plain()

    def say(self, kind: str, text: str, level: Level = "info", values: Mapping[str, Any] | None = None) -> None:
        """Say something for good: ``text`` to people, the ``values`` to programs."""
        if self._log is not None:
            self._log.say(kind, level, **(values or {}))
        else:
            self._voice.note(text)

    def event(self, event: Event, *, several: bool) -> None:
        """Tell what happened on a camera; that the only one failed is the error that the run ends with."""
        if self._log is not None:
            self._log.event(event)
        elif event.kind in TOLD and (several or event.kind != "camera-failed"):
            details = ", ".join(str(value) for value in event.details.values())
            self._voice.note(f"{event.camera}: {event.kind.replace('-', ' ')}{f': {details}' if details else ''}")

    def tell_about(self, result: Result, seat: Seat) -> None:
        """For images somebody wants to read what is on them."""
        from edgecnn.cli.live_outputs import writes_to_stdout
        from edgecnn.live.status import describe
        from edgecnn.runtime.sources.images import ImageFiles

        source = seat.plan.source
        if isinstance(source, ImageFiles) and not writes_to_stdout(seat.wanted.values):
            self._voice.say(describe(result, source.title(result.frame.index), seat.predictor.card.labels))

    def end(self, seats: Sequence[Seat], how: str, stats: Path | None) -> None:
        """Say how each camera fared, and which files were written."""
        for seat in seats:
            self._summarise(seat, how, several=len(seats) > 1)
        self._name_files(seats, stats)

    def _summarise(self, seat: Seat, how: str, *, several: bool) -> None:
        from edgecnn.live.log import numbers
        from edgecnn.live.status import summary

        assert seat.camera is not None
        if self._log is not None:
            self._log.say("summary", camera=seat.wanted.name, end=how, **numbers(seat.camera))
            return
        click.echo(summary(seat.camera.stats(), seat.plan.source, how, seat.wanted.name if several else ""), err=True)

    def _name_files(self, seats: Sequence[Seat], stats: Path | None) -> None:
        """What was written, by name."""
        paths = [
            outlet.file for seat in seats for outlet in seat.sinks if outlet.file and outlet.counts.written and not outlet.error
        ]
        paths += [str(stats)] if stats is not None else []
        for path in dict.fromkeys(paths):
            if self._log is not None:
                self._log.say("wrote", path=path)
            else:
                click.echo(f"  wrote {path}", err=True)


def write_stats(path: Path, seats: Sequence[Seat], how: str, error: EdgeCnnError | None) -> None:
    """Write all that was measured as JSON."""
    with atomic_write(path) as stream:
        json.dump(_record(seats, how, error), stream, indent=1)


def _record(seats: Sequence[Seat], how: str, error: EdgeCnnError | None) -> dict[str, Any]:
    """What --stats holds: of the only camera, or of each."""
    cameras = [_camera_record(seat) for seat in seats]
    head = {"end": how, "error": None if error is None else str(error)}
    return {**cameras[0], **head} if len(cameras) == 1 else {**head, "cameras": cameras}


def _camera_record(seat: Seat) -> dict[str, Any]:
    assert seat.camera is not None
    source = seat.plan.source
    return {
        "camera": seat.wanted.name,
        "file": str(seat.wanted.file),
        "source": source.name,
        "state": seat.camera.state,
        "threads": seat.predictor.threads,
        "requests": seat.predictor.backend.concurrency,
        "trials": [asdict(trial) for trial in seat.predictor.trials],
        **seat.camera.stats().to_json(),
        "outputs": {sink.name: asdict(sink.counts) | {"state": sink.state, "detail": sink.detail} for sink in seat.sinks},
        "notes": source.notes,
        "failures": [{"name": failure.name, "reason": failure.reason} for failure in source.failures],
    }


def _entered(stack: ExitStack, status: StatusLine | TerminalView) -> Voice:
    stack.enter_context(status)
    return status
