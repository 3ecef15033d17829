"""One run of one or several cameras: opens what was asked for, plays it, takes over a changed file of cameras, says how it went."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from edgecnn.cli.live_models import SHOWN_SCORE, Models
from edgecnn.cli.options import FIELDS
from edgecnn.cli.pending import pending_text
from edgecnn.cli.signals import StopSignals
from edgecnn.cli.wanted import Wanted
from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.runtime.log import JsonLog, is_json

if TYPE_CHECKING:
    from edgecnn.runtime.identify import CardOptions
    from edgecnn.runtime.log import Level
    from edgecnn.runtime.notify import Notifier
    from edgecnn.runtime.predictor import Predictor
    from edgecnn.runtime.sinks import Sink
    from edgecnn.runtime.sinks.outlets import Outlet
    from edgecnn.runtime.sinks.shared import Paints
    from edgecnn.runtime.sources import Source
    from edgecnn.runtime.station import Camera, CameraPlan, Station
    from edgecnn.runtime.status import StatusLine
    from edgecnn.runtime.view.live import LiveView
    from edgecnn.runtime.view.terminal import TerminalView
    from edgecnn.types import Event, Result

LOOK_EVERY_S = 1.0
FLOOR = 0.1  # how low a viewer of the page may set the score threshold
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


@dataclass(slots=True)
class Seat:
    """A camera that takes part: what was asked for, how it is run, its outputs and the files that they write."""

    wanted: Wanted
    plan: CameraPlan
    predictor: Predictor
    painter: Paints
    sinks: list[Outlet] = field(default_factory=list)
    window: Sink | None = None
    camera: Camera | None = None


class LiveRun:
    """Runs ``wanted`` cameras with the ``values`` of the whole run; ``reread`` gives them anew where their file changed, else None."""

    def __init__(
        self,
        wanted: Sequence[Wanted],
        values: Mapping[str, Any],
        signals: StopSignals,
        reread: Callable[[], list[Wanted] | None] | None = None,
    ) -> None:
        self.wanted, self.values, self.signals, self._reread = wanted, values, signals, reread
        self.stuck: list[str] = []
        self.seats: dict[str, Seat] = {}
        self.gone: list[Seat] = []
        self._lock = threading.RLock()
        self._broken_outputs: list[Exception] = []
        self._stack = ExitStack()
        self._log = JsonLog() if is_json(values["log"]) else None
        self._view: LiveView | None = None
        self._voice: Voice = Plain()

    def go(self) -> None:
        """Run to the end of the sources, of the frames or the time asked for, or until a signal; raises ``EdgeCnnError``."""
        sources = [self._open_source(wanted) for wanted in self.wanted]
        self._requests = self.values["requests"] or usual_requests(self.wanted, sources)
        self._begin_to_open()
        from edgecnn.cli.live_outputs import Outputs
        from edgecnn.runtime.controls import Controls
        from edgecnn.runtime.sinks import check_writable
        from edgecnn.runtime.station import Station

        if self.values["stats"] is not None:
            check_writable(self.values["stats"])
        self._controls, self._outputs = Controls(), Outputs(self._say_output)
        with self._stack:
            self._models = self._stack.enter_context(Models(self._open_model))
            self._stack.callback(self._close_outputs)
            for wanted, source in zip(self.wanted, sources, strict=True):
                self._sit(wanted, source)
            station = Station(
                [seat.plan for seat in self.seats.values()],
                workers=self._requests,
                max_frames=self.values["max_frames"],
                controls=self._controls,
                on_event=self._on_event,
                stay=self._reread is not None,
            )
            self._play(station)
        if self._broken_outputs:
            raise self._broken_outputs[0]

    def _begin_to_open(self) -> None:
        """Models are read and optimised while the rest is imported."""
        from edgecnn.runtime.backends.ahead import begin
        from edgecnn.shipped import artifact

        for file in {artifact(wanted.file) for wanted in self.wanted}:
            begin(file, self.values["device"], self.values["threads"], self._requests)

    # cameras come and go

    def _open_source(self, wanted: Wanted) -> Source:
        from edgecnn.runtime.backends import file_format
        from edgecnn.runtime.sources import Steadiness, open_source
        from edgecnn.shipped import artifact

        file_format(artifact(wanted.file))  # a wrong path is said before anything is opened
        values = wanted.values
        paced = None if values["policy"] is None else values["policy"] == "latest"
        steady = Steadiness(max_silence=values["timeout"], patience=values["patience"]) if values["reconnect"] else None
        return open_source(wanted.source, timeout=values["timeout"], repeat=values["repeat"], paced=paced, steady=steady)

    def _open_model(self, file: Path, options: CardOptions) -> Predictor:
        from edgecnn.runtime.predictor import Predictor

        return Predictor(file, self.values["device"], threads=self.values["threads"], requests=self._requests, options=options)

    def _sit(self, wanted: Wanted, source: Source) -> Seat:
        from edgecnn.cli.live_motion import build_gate, build_predictor, build_steps, least_score
        from edgecnn.runtime.draw import Painter
        from edgecnn.runtime.identify import CardOptions
        from edgecnn.runtime.sinks.shared import SharedPainter
        from edgecnn.runtime.station import CameraPlan

        values = wanted.values
        shown = SHOWN_SCORE if values["score_threshold"] is None else values["score_threshold"]
        least = min(least_score(values, shown), shown if self.values["serve"] is None else FLOOR)
        options = CardOptions(**{name: values[name] for name in FIELDS} | {"score_threshold": least})
        predictor = self._models.take(wanted.file, options)
        try:
            plan = CameraPlan(
                name=wanted.name,
                source=source,
                predictor=build_predictor(values, predictor),
                policy=values["policy"],
                steps=build_steps(values, predictor.card.labels, source, self._controls, shown=shown),
                gate=build_gate(values, source),
                every=values["every"],
                max_fps=values["max_fps"],
                max_age_ms=values["max_age"],
            )
            seat = Seat(wanted, plan, predictor, SharedPainter(Painter(predictor.card.labels)))
            self._open_outputs(seat)
            self._join_view(seat)
        except BaseException:
            self._models.give_back(predictor)
            raise
        with self._lock:
            self.seats[wanted.name] = seat
        return seat

    def _leave(self, name: str, station: Station) -> None:
        with self._lock:
            seat = self.seats.pop(name)
        seat.camera = station.remove(name)
        if self._view is not None:
            self._view.leave(name)
        self.gone.append(seat)
        for sink in seat.sinks:
            sink.begin_close()
        for sink in seat.sinks:
            sink.close()
        self._models.give_back(seat.predictor)

    @contextmanager
    def _watching_file(self, station: Station) -> Iterator[None]:
        if self._reread is None:
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._watch_file, args=(station, over), name="edgecnn-cameras", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(LOOK_EVERY_S)

    def _watch_file(self, station: Station, over: threading.Event) -> None:
        assert self._reread is not None
        while not over.wait(LOOK_EVERY_S):
            try:
                wanted = self._reread()
                if wanted is not None:
                    self._take_over(wanted, station)
            except EdgeCnnError as error:
                self.say("cameras-refused", f"the cameras stay as they are: {error}", "warning", {"error": str(error)})
            except Exception as error:  # a thread that dies silently would leave a file that nobody reads any more
                self.say("cameras-refused", f"the cameras stay as they are: {error!r}", "error", {"error": repr(error)})

    def _take_over(self, wanted: Sequence[Wanted], station: Station) -> None:
        """Bring the cameras that run to those that are wanted; what did not change is not touched."""
        new = {camera.name: camera for camera in wanted}
        old = {name: seat.wanted for name, seat in self.seats.items()}
        sources = {name: self._open_source(camera) for name, camera in new.items() if old.get(name) != camera}
        for name in [name for name in old if old[name] != new.get(name)]:
            self._leave(name, station)
        for name, source in sources.items():
            seat = self._sit(new[name], source)
            station.add(seat.plan)
        said = {
            "added": [name for name in sources if name not in old],
            "removed": [name for name in old if name not in new],
            "changed": [name for name in sources if name in old],
        }
        text = ", ".join(f"{what} {', '.join(names)}" for what, names in said.items() if names)
        self.say("cameras-changed", f"cameras: {text or 'nothing changed'}", values=said)

    # outputs

    def _open_outputs(self, seat: Seat) -> None:
        from edgecnn.cli.live_outputs import OutputCamera

        source = seat.plan.source
        camera = OutputCamera(
            name=seat.wanted.name,
            labels=seat.predictor.card.labels,
            painter=seat.painter,
            title=source.title,
            fps=lambda: source.fps,
            live=source.live if seat.plan.policy is None else seat.plan.policy == "latest",
            several=len(self.wanted) > 1 or self._reread is not None,
        )
        if seat.wanted.values["show"]:
            from edgecnn.runtime.sinks.window import WindowSink

            seat.window = WindowSink(f"edgecnn {seat.wanted.name}", seat.painter, self._stop)
        seat.sinks = list(self._outputs.open(camera, seat.wanted.values))

    def _stop(self) -> None:
        """For a window, which is there before the station."""
        self._station.stop()

    def _say_output(self, text: str) -> None:
        self.say("output", f"warning: {text}", "warning", {"text": text})

    def _close_outputs(self) -> None:
        """All at once, so that together they take as long as the slowest."""
        for seat in (*self.gone, *self.seats.values()):
            if seat.window is not None:
                seat.window.close()
        outlets = [outlet for seat in self.seats.values() for outlet in seat.sinks]
        for outlet in outlets:
            outlet.begin_close()
        for outlet in outlets:
            outlet.close()
        everyone = [*outlets, *(outlet for seat in self.gone for outlet in seat.sinks)]
        self._broken_outputs = [outlet.error for outlet in everyone if outlet.error is not None and outlet.counts.failed]

    # the run itself

    def _play(self, station: Station) -> None:
        from edgecnn.runtime.notify import Notifier

        self._station, notifier = station, Notifier()
        self.signals.on_stop = station.stop
        try:
            with (
                self._viewed(station),
                self._saying(station),
                station,
                self._watching_file(station),
                _alarm(self.values["duration"], station),
            ):
                notifier.ready()
                self._pump(station, notifier)
                notifier.stopping()
        finally:
            for name, camera in station.cameras.items():
                if name in self.seats:
                    self.seats[name].camera = camera
            self.stuck = station.stuck

    def _pump(self, station: Station, notifier: Notifier) -> None:
        for result in station:
            notifier.alive()
            with self._lock:
                seat = self.seats.get(result.camera)
                if seat is None:
                    continue
                self._tell_about(result, seat)
                if self._view is not None:
                    self._view.write(result)
                if seat.window is not None:
                    seat.window.write(result)
                for sink in seat.sinks:
                    sink.write(result)

    @contextmanager
    def _viewed(self, station: Station) -> Iterator[None]:
        """While entered, the page is served."""
        from edgecnn.cli.live_outputs import open_metrics
        from edgecnn.cli.live_view import announcement, open_view

        metrics, server = open_metrics(self.values, lambda: station.cameras, self._outputs)
        if server is not None:
            self._stack.callback(server.close)
            self.say("metrics", f"metrics: http://127.0.0.1:{server.port}/metrics", values={"port": server.port})
        self._view = open_view(
            self.values,
            station,
            self._controls,
            title="edgecnn",
            floor=FLOOR,
            sinks=lambda: self._outputs.sinks,
            score_threshold=SHOWN_SCORE,
            metrics=None if metrics is None else metrics.page,
        )
        if self._view is None:
            yield
            return
        for seat in self.seats.values():
            self._join_view(seat)
        with self._view as view:
            text = announcement(view)
            if text is not None:
                self.say("live-view", text, values={"url": view.url})
            yield

    def _join_view(self, seat: Seat) -> None:
        if self._view is not None:
            self._view.join(seat.wanted.name, seat.predictor.card.labels, seat.painter)

    def _tell_about(self, result: Result, seat: Seat) -> None:
        """For images somebody wants to read what is on them."""
        from edgecnn.cli.live_outputs import writes_to_stdout
        from edgecnn.runtime.sources.images import Images
        from edgecnn.runtime.status import describe

        source = seat.plan.source
        if isinstance(source, Images) and not writes_to_stdout(seat.wanted.values):
            self._voice.say(describe(result, source.title(result.frame.index), seat.predictor.card.labels))

    @contextmanager
    def _saying(self, station: Station) -> Iterator[None]:
        """While entered, somebody is told how it goes."""
        from edgecnn.cli.live_view import open_status
        from edgecnn.runtime.log import Heartbeat

        with ExitStack() as stack:
            if self._log is not None:
                stack.enter_context(Heartbeat(self._log, station))
            else:
                self._voice = _entered(stack, open_status(self.values, station, self._view))
            yield
        self._voice = Plain()

    def say(self, kind: str, text: str, level: Level = "info", values: Mapping[str, Any] | None = None) -> None:
        """Say something for good: ``text`` to people, the ``values`` to programs."""
        if self._log is not None:
            self._log.say(kind, level, **(values or {}))
        else:
            self._voice.note(text)

    def _on_event(self, event: Event) -> None:
        """In the station's thread, also while no frame comes."""
        with self._lock:
            seat = self.seats.get(event.camera)
            for sink in seat.sinks if seat is not None else ():
                sink.tell(event)
        if self._log is not None:
            self._log.event(event)
        elif event.kind in TOLD and (
            event.kind != "camera-failed" or len(self.seats) > 1
        ):  # the only camera's error ends the run
            details = ", ".join(str(value) for value in event.details.values())
            self._voice.note(f"{event.camera}: {event.kind.replace('-', ' ')}{f': {details}' if details else ''}")

    def report(self, error: EdgeCnnError | None) -> None:
        """Write --stats, and say how it went unless it never began or an output failed."""
        seats = [seat for seat in (*self.gone, *self.seats.values()) if seat.camera is not None]
        if not seats:
            return
        how = f"stopped by {self.signals.name}" if self.signals.received else "broke off" if error else "done"
        if self.values["stats"] is not None:
            with pending_text(self.values["stats"]) as stream:
                json.dump(self._record(seats, how, error), stream, indent=1)
        counts = [seat.camera.ledger.counts() for seat in seats if seat.camera is not None]
        began = any(count.captured > count.failed for count in counts)
        if error is None or (began and isinstance(error, SourceError)) or self._broken_outputs:
            for seat in seats:
                self._summarise(seat, how)
            self._name_files(seats)

    def _summarise(self, seat: Seat, how: str) -> None:
        from edgecnn.runtime.log import numbers
        from edgecnn.runtime.status import summary

        assert seat.camera is not None
        if self._log is not None:
            self._log.say("summary", camera=seat.wanted.name, end=how, **numbers(seat.camera))
            return
        if len(self.seats) + len(self.gone) > 1:
            click.echo(f"{seat.wanted.name}:", err=True)
        click.echo(summary(seat.camera.stats(), seat.plan.source, how), err=True)

    def _name_files(self, seats: Sequence[Seat]) -> None:
        """What was written, by name."""
        paths = [
            outlet.file for seat in seats for outlet in seat.sinks if outlet.file and outlet.counts.written and not outlet.error
        ]
        paths += [str(self.values["stats"])] if self.values["stats"] is not None else []
        for path in dict.fromkeys(paths):
            if self._log is not None:
                self._log.say("wrote", path=path)
            else:
                click.echo(f"  wrote {path}", err=True)

    def _record(self, seats: Sequence[Seat], how: str, error: EdgeCnnError | None) -> dict[str, Any]:
        """What --stats holds: of the only camera, or of each."""
        cameras = [self._camera_record(seat) for seat in seats]
        head = {"end": how, "error": None if error is None else str(error)}
        return {**cameras[0], **head} if len(cameras) == 1 else {**head, "cameras": cameras}

    def _camera_record(self, seat: Seat) -> dict[str, Any]:
        assert seat.camera is not None
        source = seat.plan.source
        return {
            "camera": seat.wanted.name,
            "file": str(seat.wanted.file),
            "source": source.name,
            "state": seat.camera.state,
            **seat.camera.stats().to_json(),
            "outputs": {sink.name: asdict(sink.counts) | {"state": sink.state, "detail": sink.detail} for sink in seat.sinks},
            "notes": source.notes,
            "failures": [{"name": failure.name, "reason": failure.reason} for failure in source.failures],
        }


class Plain:
    """Says things where no status line is in the way."""

    def say(self, text: str) -> None:
        """On standard output."""
        click.echo(text)

    def note(self, text: str) -> None:
        """On standard error."""
        click.echo(text, err=True)


def _entered(stack: ExitStack, status: StatusLine | TerminalView) -> Voice:
    stack.enter_context(status)
    return status


def usual_requests(wanted: Sequence[Wanted], sources: Sequence[Source]) -> int:
    """One where results should be young; where frames should be many, one for each core and one that prepares meanwhile."""
    from edgecnn.runtime.sources.images import Images

    def is_quick(camera: Wanted, source: Source) -> bool:
        policy = camera.values["policy"]
        return not (source.live if policy is None else policy == "latest") and not isinstance(source, Images)

    if not all(is_quick(camera, source) for camera, source in zip(wanted, sources, strict=True)):
        return 1
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@contextmanager
def _alarm(seconds: float | None, station: Station) -> Iterator[None]:
    """Stop the station after so many seconds, whether frames come or not."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, station.stop)
    timer.name, timer.daemon = "edgecnn-duration", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
