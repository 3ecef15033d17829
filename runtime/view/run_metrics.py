"""Collects the live metrics of a run: sampled twice a second, kept for two minutes, returned as JSON values."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import takewhile
from typing import Any

import numpy as np

from edgecnn.runtime.pipeline.drift_status import DriftStatus
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.view.protocols import BAD_STATES, MonitoredCamera, MonitoredSink, ViewContext
from edgecnn.tasks import for_prediction
from edgecnn.types import Event, Overlay, Prediction, Result, nearest_rank

VERSION = 2
INTERVAL_S = 0.5
POINTS = 240  # two minutes
WINDOW_S = 10.0  # of p50 and p99 beside a camera
# Enough for WINDOW_S at 400 frames/s.
_MAX_SAMPLES = 4096
_MAX_EVENTS = 200

TimedResult = tuple[float, float, Mapping[str, float]]  # perf_counter seconds, age in ms, time in ms by stage


class CameraMetrics:
    """Holds recent metrics of one camera; ``add`` is called by the thread of the run, ``sample`` by the sampling thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[TimedResult] = deque(maxlen=_MAX_SAMPLES)
        self._counts: tuple[float, FrameCounts] | None = None
        self._sampled_at = 0.0
        self.points: deque[dict[str, Any]] = deque(maxlen=POINTS)
        self.latest: Result | None = None
        self.fps = (0.0, 0.0)  # captured, processed
        self.age_ms = quantiles([])
        self.stage_ms: dict[str, dict[str, float | None]] = {}

    def add(self, result: Result) -> None:
        """Record a result."""
        with self._lock:
            self._samples.append((time.perf_counter(), result.age_ms, result.stage_ms))
        self.latest = result

    def sample(self, tick: int, now: float, counts: FrameCounts) -> None:
        """Add the point of this tick: frame rates, ages and stage times since the previous tick."""
        # The first sample has no interval, so its rates stay 0.
        then, old = self._counts or (now, counts)
        seconds = now - then
        if seconds > 0:
            self.fps = (counts.captured - old.captured) / seconds, (counts.processed - old.processed) / seconds
        self._counts = now, counts
        recent = self._since(now - WINDOW_S)
        new = [sample for sample in recent if sample[0] > self._sampled_at]
        self._sampled_at = now
        self.age_ms = quantiles([age for _, age, _ in recent])
        self.stage_ms = {name: quantiles(values) for name, values in by_stage(recent).items()}
        ages = [age for _, age, _ in new]
        self.points.append(
            {
                "tick": tick,
                "age_ms": [_number(nearest_rank(ages, percent)) for percent in (50, 99)],
                "fps": [_number(rate) for rate in self.fps],
                "stage_ms": {name: _number(sum(values) / len(values)) for name, values in by_stage(new).items()},
            }
        )

    def _since(self, when: float) -> list[TimedResult]:
        with self._lock:
            return [sample for sample in self._samples if sample[0] > when]


class RunMetrics:
    """Collects the metrics of a run from the results that ``write`` gets; ``state`` returns everything that a view displays.

    As a context manager it samples in a thread every ``interval_s`` seconds; ``sample`` takes one sample.
    """

    def __init__(self, context: ViewContext, *, interval_s: float = INTERVAL_S) -> None:
        self.context, self.interval_s, self.tick = context, interval_s, 0
        self._started = time.perf_counter()
        self._cameras: dict[str, CameraMetrics] = {}
        self._events: deque[tuple[int, Event]] = deque(maxlen=_MAX_EVENTS)
        self._event_count = 0
        self._last_event: Event | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="edgecnn-run-metrics", daemon=True)

    def __enter__(self) -> RunMetrics:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop sampling; the last state can still be read."""
        self._done.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def write(self, result: Result) -> None:
        """Take a result; takes about a microsecond."""
        self.camera(self.name_of(result)).add(result)

    def name_of(self, result: Result) -> str:
        """Return the camera name of a result; in a run of one camera the result may have none."""
        return result.camera or next(iter(self.context.run.cameras), "")

    def camera(self, name: str) -> CameraMetrics:
        """Return the metrics of a camera."""
        # setdefault is atomic: two threads that ask for a new camera at the same time get the same object.
        return self._cameras.get(name) or self._cameras.setdefault(name, CameraMetrics())

    def _work(self) -> None:
        while not self._done.wait(self.interval_s):
            with suppress(Exception):  # a failed sample must not end the view
                self.sample()

    def sample(self) -> None:
        """Add a point for each camera, and collect new events."""
        with self._lock:
            now, cameras = time.perf_counter(), dict(self.context.run.cameras)
            self.tick += 1
            for name, camera in cameras.items():
                self.camera(name).sample(self.tick, now, camera.ledger.counts())
            # A removed camera must not keep its last frame in memory.
            for name in [name for name in self._cameras if name not in cameras]:
                del self._cameras[name]
            self._collect(list(self.context.run.events))

    def _collect(self, events: list[Event]) -> None:
        """Collect the events after the last known one; compares by identity, because successive events can be equal."""
        new = takewhile(lambda event: event is not self._last_event, reversed(events))
        for event in reversed(list(new)):
            self._event_count += 1
            self._events.append((self._event_count, event))
            self._last_event = event

    def state(self, tick: int = 0, event: int = 0) -> dict[str, Any]:
        """Return the state as a JSON object, with the points after ``tick`` and the events after number ``event``."""
        with self._lock:
            context = self.context
            cameras = [self._camera(name, camera, tick) for name, camera in context.run.cameras.items()]
            return {
                "version": VERSION,
                "title": context.title,
                "tick": self.tick,
                "interval_s": self.interval_s,
                "uptime_s": round(time.perf_counter() - self._started, 1),
                "health": health(cameras),
                "cameras": cameras,
                "sinks": [_sink(sink) for sink in context.sinks()],
                "events": [_event(number, entry) for number, entry in self._events if number > event],
                "controls": self._controls(),
            }

    def _camera(self, name: str, camera: MonitoredCamera, tick: int) -> dict[str, Any]:
        track, counts = self.camera(name), camera.ledger.counts()
        latest = track.latest
        return {
            "name": name,
            "state": camera.state,
            "detail": camera.detail,
            "policy": camera.policy,
            "source": _source_name(camera),
            "captured_fps": _number(track.fps[0]),
            "processed_fps": _number(track.fps[1]),
            "age_ms": track.age_ms,
            "stage_ms": track.stage_ms,
            "ledger": {**asdict(counts), "in_flight": counts.in_flight},
            "late": camera.late,
            "max_age_ms": camera.setup.max_age_ms,
            "size_px": None if latest is None else list(latest.frame.image.shape[1::-1]),
            "summary": "" if latest is None else _headline(latest.prediction, self.context.labels.get(name, ())),
            "counts": [] if latest is None else [counts_text(overlay) for overlay in latest.overlays],
            "drift": _drift(camera),
            "points": [point for point in track.points if point["tick"] > tick],
        }

    def _controls(self) -> dict[str, Any]:
        setting, context = self.context.controls.setting, self.context
        classed = [name for name in context.run.cameras if name not in context.unclassed]
        labels = dict.fromkeys(label for name in classed for label in context.labels.get(name, ()))
        return {
            "scored": any(name not in context.unscored for name in context.run.cameras),
            "score_threshold": context.score_threshold if setting.score_threshold is None else setting.score_threshold,
            "by_class": context.by_class and setting.score_threshold is None,
            "floor": context.floor,
            "labels": list(labels),
            "only": [label for label in labels if self._is_shown(label)],
            "paused": sorted(setting.paused),
        }

    def _is_shown(self, label: str) -> bool:
        """Return whether a class is shown: as set by the controls, else if any camera shows it initially."""
        context, chosen = self.context, self.context.controls.setting.only
        if chosen is not None:
            return label in chosen
        initially = [context.only.get(name) for name, labels in context.labels.items() if label in labels]
        return any(only is None or label in only for only in initially)


def health(cameras: Iterable[Mapping[str, Any]]) -> str:
    """Return ``ok`` if no camera is in a bad state, ``down`` if all are, else ``degraded``."""
    bad = [camera["state"] in BAD_STATES for camera in cameras]
    return "ok" if not any(bad) else "down" if all(bad) else "degraded"


def by_stage(samples: Iterable[TimedResult]) -> dict[str, list[float]]:
    """Group the times in ms by stage, in the order in which stages first appear."""
    times: dict[str, list[float]] = {}
    for _, _, stages in samples:
        for name, ms in stages.items():
            times.setdefault(name, []).append(ms)
    return times


def quantiles(values: list[float]) -> dict[str, float | None]:
    """Return median and 99th percentile by nearest rank; None without values."""
    return {"p50": _number(nearest_rank(values, 50)), "p99": _number(nearest_rank(values, 99))}


def _headline(prediction: Prediction, labels: Any) -> str:
    text: str = for_prediction(prediction).headline(prediction, labels)
    return text


def counts_text(overlay: Overlay) -> str:
    """Format the counts of a line or zone: ``gate: in 3, out 2``."""
    return f"{overlay.name}: " + ", ".join(f"{what} {sum(counted.values())}" for what, counted in overlay.counts.items())


def _sink(sink: MonitoredSink) -> dict[str, Any]:
    counts = sink.counts
    numbers = {"written": counts.written, "dropped": counts.dropped, "failed": counts.failed}
    return {"name": sink.name, "state": sink.state, "detail": sink.detail, **numbers}


def _event(number: int, event: Event) -> dict[str, Any]:
    # Events have perf_counter times. The wall clock is read each time, because NTP may correct it during the run.
    at = time.time() - (time.perf_counter() - event.at)
    return {
        "number": number,
        "unix_time_s": round(at, 3),
        "kind": event.kind,
        "camera": event.camera,
        "details": _plain(event.details),
    }


def _plain(value: Any) -> Any:
    """Convert to JSON values; a step of the user may put any object into an event."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _drift(camera: MonitoredCamera) -> dict[str, Any] | None:
    """What is known of the drift of a camera; None where it is not watched."""
    status: DriftStatus | None = getattr(camera, "drift", None)
    if status is None:
        return None
    return {"state": status.state, "text": status.text, "lines": list(status.lines), "reference": status.reference}


def _source_name(camera: MonitoredCamera) -> str:
    source = getattr(camera, "source", None)
    return str(getattr(source, "name", ""))


def _number(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
