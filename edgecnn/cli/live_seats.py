"""The cameras of a run, each with its model, steps and outputs: they come, and go when the file that names them changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.cli.live_models import Models
from edgecnn.cli.options import FIELDS
from edgecnn.cli.wanted import Wanted
from edgecnn.cpus import usable_cpus
from edgecnn.thresholds import SHOWN_SCORE, WEAK_TRACK_SCORE

if TYPE_CHECKING:
    from edgecnn.runtime.draw.shared_painter import ResultPainter
    from edgecnn.runtime.model.autotune import Autotuner
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.parallelism import Goal
    from edgecnn.runtime.model.predictor import Predictor
    from edgecnn.runtime.pipeline.multi_camera import CameraSetup, CameraStream, MultiCamera
    from edgecnn.runtime.sinks import Sink
    from edgecnn.runtime.sinks.shared_sink import SharedSink
    from edgecnn.runtime.sources import Source
    from edgecnn.runtime.view.live_view import LiveView
    from edgecnn.types import Event, Result

FLOOR = WEAK_TRACK_SCORE  # how low a viewer of the page may set the score threshold


@dataclass(slots=True)
class Seat:
    """A camera that takes part: what was asked for, how it is run, the score from which boxes are shown, its outputs."""

    wanted: Wanted
    plan: CameraSetup
    predictor: Predictor
    painter: ResultPainter
    shown: float
    sinks: list[SharedSink] = field(default_factory=list)
    window: Sink | None = None
    camera: CameraStream | None = None


class Seats:
    """All cameras that take part, by name; those that left are in ``gone``.

    ``values`` are of the whole run. ``several``: there are more cameras than one, or there may be. ``say`` gets a line where an output
    fails. Entered, models can be opened; leaving closes outputs and models. ``lock`` is to be held while a camera's seat is used.
    """

    def __init__(self, values: Mapping[str, Any], *, several: bool, say: Callable[[str], None]) -> None:
        from edgecnn.cli.live_outputs import Outputs
        from edgecnn.runtime.model.preload import BackendPreloader
        from edgecnn.runtime.pipeline.controls import Controls

        self.values, self._several = values, several
        self.lock = threading.RLock()
        self.seats: dict[str, Seat] = {}
        self.gone: list[Seat] = []
        self.controls, self.outputs = Controls(), Outputs(say)
        self.view: LiveView | None = None
        self.station: MultiCamera | None = None
        self.requests, self.picks_threads = 1, False
        self._models = Models(self._open_model)
        self._preloader = BackendPreloader()

    @property
    def all(self) -> list[Seat]:
        """Those that left, then those that are there."""
        return [*self.gone, *self.seats.values()]

    @property
    def broken_outputs(self) -> list[Exception]:
        """What outputs failed with that lost something."""
        outlets = [outlet for seat in self.all for outlet in seat.sinks]
        return [outlet.error for outlet in outlets if outlet.broken and outlet.error is not None]

    def __enter__(self) -> Seats:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._close_outputs()
        finally:
            self._models.__exit__(*exc)
            self._preloader.close()

    def fill(self, wanted: Sequence[Wanted]) -> list[CameraSetup]:
        """Seat the first cameras; gives the plans for their station."""
        sources = [self._open_source(camera) for camera in wanted]
        self.requests = self.values["requests"] or usual_requests(wanted, sources)
        self.picks_threads = picks_threads(self.values, wanted, sources)
        self._begin_to_open(wanted)
        return [self._sit(camera, source).plan for camera, source in zip(wanted, sources, strict=True)]

    def write(self, result: Result) -> Seat | None:
        """Hand a result to the outputs of its camera; gives its seat, None where it has left."""
        with self.lock:
            seat = self.seats.get(result.camera)
            if seat is None:
                return None
            if self.view is not None:
                self.view.write(result)
            if seat.window is not None:
                seat.window.write(result)
            for sink in seat.sinks:
                sink.write(result)
            return seat

    def write_event(self, event: Event) -> None:
        """Hand an event to the outputs of its camera."""
        with self.lock:
            seat = self.seats.get(event.camera)
            for sink in seat.sinks if seat is not None else ():
                sink.write_event(event)

    def take_over(self, wanted: Sequence[Wanted]) -> dict[str, list[str]]:
        """Bring the cameras that run to those that are wanted, and say what changed; what did not is not touched."""
        station = self.station
        assert station is not None
        new = {camera.name: camera for camera in wanted}
        old = {name: seat.wanted for name, seat in self.seats.items()}
        sources = {name: self._open_source(camera) for name, camera in new.items() if old.get(name) != camera}
        for name in [name for name in old if old[name] != new.get(name)]:
            self._leave(name)
        for name, source in sources.items():
            seat = self._sit(new[name], source)
            station.add(seat.plan)
        return {
            "added": [name for name in sources if name not in old],
            "removed": [name for name in old if name not in new],
            "changed": [name for name in sources if name in old],
        }

    def join_view(self, seat: Seat) -> None:
        """Show a camera on the page, where there is one."""
        if self.view is not None:
            self.view.add_camera(seat.wanted.name, seat.predictor.card.labels, seat.painter, seat.wanted.values["only"])

    @cached_property
    def _autotuner(self) -> Autotuner:
        """Imported late: it needs OpenCV, and models load in the background meanwhile."""
        from edgecnn.runtime.model.autotune import Autotuner

        return Autotuner(self._preloader)

    @property
    def _goal(self) -> Goal:
        return "throughput" if self.requests > 1 else "latency"

    @property
    def _setting(self) -> tuple[int | None, int]:
        """Threads and requests that a model is opened with first."""
        if not self.picks_threads:
            return self.values["threads"], self.requests
        from edgecnn.runtime.model.parallelism import default_parallelism

        first = default_parallelism(self._goal)
        return first.threads, first.requests

    def _begin_to_open(self, wanted: Sequence[Wanted]) -> None:
        """Models are read and optimised while the rest is imported."""
        from edgecnn.shipped import artifact

        threads, requests = self._setting
        for file in {artifact(camera.file) for camera in wanted}:
            self._preloader.start(file, self.values["device"], threads=threads, requests=requests)

    def _open_source(self, wanted: Wanted) -> Source:
        from edgecnn.runtime.backends import file_format
        from edgecnn.runtime.sources import ReconnectOptions, open_source
        from edgecnn.shipped import artifact

        file_format(artifact(wanted.file))  # a wrong path is said before anything is opened
        values = wanted.values
        paced = None if values["policy"] is None else values["policy"] == "latest"
        known = {
            "max_silence_s": values["timeout"],
            "connect_timeout_s": values["patience"],
            "frozen_after_s": values["frozen_after"],
        }
        steady = ReconnectOptions(**known) if values["reconnect"] else None
        return open_source(wanted.source, timeout=values["timeout"], repeat=values["repeat"], paced=paced, reconnect=steady)

    def _open_model(self, file: Path, options: CardOptions) -> Predictor:
        from edgecnn.runtime.model.predictor import Predictor

        if self.picks_threads:
            return self._autotuner.open(file, self.values["device"], goal=self._goal, options=options)
        threads, requests = self._setting
        return Predictor(
            file, self.values["device"], threads=threads, requests=requests, options=options, preloader=self._preloader
        )

    def _sit(self, wanted: Wanted, source: Source) -> Seat:
        from edgecnn.cli.live_motion import build_gate, build_look, build_steps, least_score
        from edgecnn.runtime.draw.painter import Painter
        from edgecnn.runtime.draw.shared_painter import SharedPainter
        from edgecnn.runtime.model.card_inference import CardOptions
        from edgecnn.runtime.pipeline.multi_camera import CameraSetup

        values = wanted.values
        shown = SHOWN_SCORE if values["score_threshold"] is None else values["score_threshold"]
        least = min(least_score(values, shown), shown if self.values["serve"] is None else FLOOR)
        options = CardOptions(**{name: values[name] for name in FIELDS} | {"score_threshold": least})
        predictor = self._models.take(wanted.file, options)
        try:
            plan = CameraSetup(
                name=wanted.name,
                source=source,
                predictor=predictor,
                policy=values["policy"],
                steps=build_steps(values, predictor.card.labels, source, self.controls, shown=shown),
                gate=build_gate(values, source),
                every=values["every"],
                max_fps=values["max_fps"],
                max_age_ms=None if values["max_age"] is None else values["max_age"] * 1000,
                workers=predictor.backend.concurrency if self.picks_threads else None,
                strategy=build_look(values, predictor.card),
            )
            seat = Seat(wanted, plan, predictor, SharedPainter(Painter(predictor.card.labels)), shown)
            self._open_outputs(seat)
            self.join_view(seat)
        except BaseException:
            self._models.give_back(predictor)
            raise
        with self.lock:
            self.seats[wanted.name] = seat
        return seat

    def _leave(self, name: str) -> None:
        assert self.station is not None
        with self.lock:
            seat = self.seats.pop(name)
        seat.camera = self.station.remove(name)
        if self.view is not None:
            self.view.remove_camera(name)
        self.gone.append(seat)
        for sink in seat.sinks:
            sink.begin_close()
        for sink in seat.sinks:
            sink.close()
        self._models.give_back(seat.predictor)

    def _open_outputs(self, seat: Seat) -> None:
        from edgecnn.cli.live_outputs import OutputCamera

        source = seat.plan.source
        camera = OutputCamera(
            name=seat.wanted.name,
            labels=seat.predictor.card.labels,
            painter=seat.painter,
            title=source.title,
            fps=lambda: source.fps,
            task=seat.predictor.card.task,
            live=source.live if seat.plan.policy is None else seat.plan.policy == "latest",
            several=self._several,
        )
        if seat.wanted.values["show"]:
            from edgecnn.runtime.sinks.window import WindowSink

            seat.window = WindowSink(f"edgecnn {seat.wanted.name}", seat.painter, self._stop)
        seat.sinks = list(self.outputs.open(camera, seat.wanted.values))

    def _stop(self) -> None:
        """For a window, which is there before the station."""
        if self.station is not None:
            self.station.stop()

    def _close_outputs(self) -> None:
        """All at once, so that together they take as long as the slowest."""
        for seat in self.all:
            if seat.window is not None:
                seat.window.close()
        outlets = [outlet for seat in self.seats.values() for outlet in seat.sinks]
        for outlet in outlets:
            outlet.begin_close()
        for outlet in outlets:
            outlet.close()


def _is_live(camera: Wanted, source: Source) -> bool:
    """Whether its results should be young rather than many."""
    policy = camera.values["policy"]
    return source.live if policy is None else policy == "latest"


def picks_threads(values: Mapping[str, Any], wanted: Sequence[Wanted], sources: Sequence[Source]) -> bool:
    """Whether threads are picked by measuring: as asked, else on the CPU where a camera runs until stopped and nothing is set."""
    if values["pick_threads"] is not None:
        return bool(values["pick_threads"])
    set_by_hand = any(values[name] is not None for name in ("threads", "requests", "max_frames", "duration"))
    if set_by_hand or values["device"] != "cpu":
        return False
    return any(_is_live(camera, source) for camera, source in zip(wanted, sources, strict=True))


def usual_requests(wanted: Sequence[Wanted], sources: Sequence[Source]) -> int:
    """One where results should be young; where frames should be many, one for each core and one that prepares meanwhile."""
    from edgecnn.runtime.sources.images import ImageFiles

    def is_quick(camera: Wanted, source: Source) -> bool:
        return not _is_live(camera, source) and not isinstance(source, ImageFiles)

    if not all(is_quick(camera, source) for camera, source in zip(wanted, sources, strict=True)):
        return 1
    return usable_cpus() + 1
