"""One run of one or several cameras: opens what was asked for, plays it, takes over a changed file of cameras, says how it went."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from edgecnn.cli.live_report import Reporter, write_stats
from edgecnn.cli.live_seats import FLOOR, Seats
from edgecnn.cli.signals import StopSignals
from edgecnn.cli.wanted import Wanted
from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.thresholds import SHOWN_SCORE

if TYPE_CHECKING:
    from edgecnn.live.systemd import Notifier
    from edgecnn.runtime.pipeline.multi_camera import MultiCamera
    from edgecnn.types import Event

LOOK_EVERY_S = 1.0


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
        self._reporter = Reporter(values["log"])
        self._several = len(wanted) > 1 or reread is not None
        self._seats: Seats | None = None

    def go(self) -> None:
        """Run to the end of the sources, of the frames or the time asked for, or until a signal; raises ``EdgeCnnError``."""
        from edgecnn.files import check_writable
        from edgecnn.live.systemd import Notifier
        from edgecnn.runtime.pipeline.multi_camera import MultiCamera

        if self.values["stats"] is not None:
            check_writable(self.values["stats"])
        with Seats(self.values, several=self._several, say=self._say_output) as seats:
            notifier, plans = Notifier(), seats.fill(self.wanted)
            seats.station = MultiCamera(
                plans,
                workers=seats.requests,
                max_frames=self.values["max_frames"],
                controls=seats.controls,
                on_event=self._on_event,
                on_turn=notifier.alive,
                stay=self._reread is not None,
            )
            self._seats = seats
            self._play(seats, seats.station, notifier)
        if seats.broken_outputs:
            raise seats.broken_outputs[0]

    def _play(self, seats: Seats, station: MultiCamera, notifier: Notifier) -> None:
        self.signals.on_stop = station.stop
        try:
            with (
                self._viewed(seats, station),
                self._reporter.saying(self.values, station, seats.view),
                station,
                self._watching_file(seats),
                _alarm(self.values["duration"], station),
            ):
                notifier.ready()
                for result in station:
                    seat = seats.write(result)
                    if seat is not None:
                        self._reporter.tell_about(result, seat)
                notifier.stopping()
        finally:
            for name, camera in station.cameras.items():
                if name in seats.seats:
                    seats.seats[name].camera = camera
            self.stuck = station.stuck

    @contextmanager
    def _viewed(self, seats: Seats, station: MultiCamera) -> Iterator[None]:
        """While entered, the page and the numbers for Prometheus are served, where they are asked for."""
        from edgecnn.cli.live_outputs import open_metrics
        from edgecnn.cli.live_view import announcement, open_view

        with ExitStack() as stack:
            metrics, server = open_metrics(self.values, lambda: station.cameras, seats.outputs)
            if server is not None:
                stack.callback(server.close)
                self._reporter.say("metrics", f"metrics: http://127.0.0.1:{server.port}/metrics", values={"port": server.port})
            seats.view = open_view(
                self.values,
                station,
                seats.controls,
                title=", ".join(dict.fromkeys(seat.predictor.card.name for seat in seats.seats.values())),
                floor=FLOOR,
                sinks=lambda: seats.outputs.sinks,
                score_threshold=min((seat.shown for seat in seats.seats.values()), default=SHOWN_SCORE),
                metrics=None if metrics is None else metrics.page,
            )
            if seats.view is not None:
                for seat in seats.seats.values():
                    seats.join_view(seat)
                stack.enter_context(seats.view)
                text = announcement(seats.view)
                if text is not None:
                    self._reporter.say("live-view", text, values={"url": seats.view.url, "text": text})
            yield

    @contextmanager
    def _watching_file(self, seats: Seats) -> Iterator[None]:
        if self._reread is None:
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._watch_file, args=(seats, over), name="edgecnn-cameras", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(LOOK_EVERY_S)

    def _watch_file(self, seats: Seats, over: threading.Event) -> None:
        assert self._reread is not None
        while not over.wait(LOOK_EVERY_S):
            try:
                wanted = self._reread()
                if wanted is not None:
                    changed = seats.take_over(wanted)
                    text = ", ".join(f"{what} {', '.join(names)}" for what, names in changed.items() if names)
                    self._reporter.say("cameras-changed", f"cameras: {text or 'nothing changed'}", values=changed)
            except EdgeCnnError as error:
                self._refused(str(error))
            except Exception as error:  # a thread that dies silently would leave a file that nobody reads any more
                self._refused(repr(error))

    def _refused(self, why: str) -> None:
        self._reporter.say("cameras-refused", f"the cameras stay as they are: {why}", "warning", {"error": why})

    def _say_output(self, text: str) -> None:
        self._reporter.say("output", f"warning: {text}", "warning", {"text": text})

    def _on_event(self, event: Event) -> None:
        """In the station's thread, also while no frame comes."""
        if self._seats is not None:
            self._seats.write_event(event)
        self._reporter.event(event, several=self._several)

    def report(self, error: EdgeCnnError | None) -> None:
        """Write --stats, and say how it went unless it never began or an output failed."""
        seats = [seat for seat in self._seats.all if seat.camera is not None] if self._seats is not None else []
        if not seats or self._seats is None:
            return
        how = f"stopped by {self.signals.name}" if self.signals.received else "broke off" if error else "done"
        if self.values["stats"] is not None:
            write_stats(self.values["stats"], seats, how, error)
        counts = [seat.camera.ledger.counts() for seat in seats if seat.camera is not None]
        began = any(count.captured > count.failed for count in counts)
        if error is None or (began and isinstance(error, SourceError)) or self._seats.broken_outputs:
            self._reporter.end(seats, how, self.values["stats"])


@contextmanager
def _alarm(seconds: float | None, station: MultiCamera) -> Iterator[None]:
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
