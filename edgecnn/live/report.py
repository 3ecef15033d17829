"""Prints status, events and summary of a run, as text for people or as JSON lines for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from edgecnn.live.config import LogForm
from edgecnn.live.log import JsonLog, is_json
from edgecnn.runtime.event_kinds import CAMERA_EVENTS, DRIFT_EVENTS
from edgecnn.videos.opencv_logging import stderr_held

if TYPE_CHECKING:
    from edgecnn.live.cameras import ActiveCamera
    from edgecnn.live.log import Level
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera
    from edgecnn.runtime.view.screen import Screen
    from edgecnn.types import Event, Result


class Printer(Protocol):
    """Prints lines: ``say`` on standard output, ``note`` on standard error."""

    def say(self, text: str, out: TextIO | None = None) -> None: ...  # noqa: D102

    def note(self, text: str) -> None: ...  # noqa: D102


class PlainPrinter:
    """Prints without a status line that would have to be erased first."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def say(self, text: str, out: TextIO | None = None) -> None:
        """Print on standard output."""
        print(text, file=out or self._out, flush=True)

    def note(self, text: str) -> None:
        """Print on standard error, even while a library is silenced there."""
        with stderr_held():
            print(text, file=self._err, flush=True)


class NoPrinter:
    """Prints nothing."""

    def say(self, text: str, out: TextIO | None = None) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Reporter:
    """Reports the progress of a run; ``form`` is "text", "json", "auto" (JSON if ``err`` is no terminal) or "off"."""

    def __init__(self, form: LogForm, out: TextIO, err: TextIO) -> None:
        self._log = JsonLog(err) if form != "off" and is_json(form, err) else None
        self._plain: Printer = NoPrinter() if form == "off" else PlainPrinter(out, err)
        self._printer: Printer = self._plain
        self._out = out
        self.draws = form != "off" and self._log is None

    @contextmanager
    def running(self, multi_camera: MultiCamera, screen: Screen | None) -> Iterator[None]:
        """Print the status at regular intervals inside the ``with``: on ``screen``, or as JSON lines."""
        from edgecnn.live.log import Heartbeat

        with ExitStack() as stack:
            if self._log is not None:
                stack.enter_context(Heartbeat(self._log, multi_camera))
            elif screen is not None:
                self._printer = stack.enter_context(screen)
            yield
        # The screen has erased its text; the summary is printed without it.
        self._printer = self._plain

    def say(self, kind: str, text: str, level: Level = "info", values: Mapping[str, Any] | None = None) -> None:
        """Print a message: ``text``, or a JSON line with the ``values``."""
        if self._log is not None:
            self._log.say(kind, level, **(values or {}))
        else:
            self._printer.note(text)

    def event(self, event: Event, *, several: bool) -> None:
        """Print an event of a camera, except for the failure of the only camera, which is the error of the run."""
        if self._log is not None:
            self._log.event(event)
        elif event.kind in CAMERA_EVENTS and (several or event.kind != "camera-failed"):
            details = ", ".join(str(value) for value in event.details.values())
            self._printer.note(f"{event.camera}: {event.kind.replace('-', ' ')}{f': {details}' if details else ''}")
        elif event.kind in DRIFT_EVENTS:
            self._printer.note(f"{event.camera}: {event.kind.replace('-', ' ')}: {event.details.get('text', '')}")

    def result(self, result: Result, active: ActiveCamera) -> None:
        """Print the prediction for an image, unless an output writes to standard output."""
        from edgecnn.live.status import describe
        from edgecnn.runtime.sources.images import ImageFiles

        source = active.setup.source
        if isinstance(source, ImageFiles) and not active.config.outputs.to_stdout:
            self._printer.say(describe(result, source.title(result.frame.index), active.predictor.card.labels), self._out)

    def end(self, cameras: Sequence[ActiveCamera], end: str, stats: Path | None) -> None:
        """Print a summary of each camera, and the names of the files that were written."""
        for active in cameras:
            self._summarise(active, end, several=len(cameras) > 1)
        sinks = [sink for active in cameras for sink in active.sinks]
        paths = [_written(sink.file) for sink in sinks if sink.file and sink.counts.written and not sink.error]
        # Cameras may share an output; its file is named once.
        for path in dict.fromkeys([*paths, *([] if stats is None else [str(stats)])]):
            self.say("wrote", f"  wrote {path}", values={"path": path})

    def _summarise(self, active: ActiveCamera, end: str, *, several: bool) -> None:
        from edgecnn.live.log import status_fields
        from edgecnn.live.status import summary
        from edgecnn.live.summary import model_notes

        assert active.camera is not None
        name, notes = active.config.name, model_notes(active)
        if self._log is not None:
            fields = status_fields(active.camera) | ({"notes": notes} if notes else {})
            self._log.say("summary", camera=name, end=end, **fields)
        else:
            self._printer.note(summary(active.camera.stats(), active.setup.source, end, name if several else "", notes))


def _written(file: str) -> str:
    """Return the file, or the pattern of its dated parts, such as "day-*.mp4"."""
    path = Path(file)
    return file if path.exists() else str(path.with_name(f"{path.stem}-*{path.suffix}"))
