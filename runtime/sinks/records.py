"""Converts results, predictions and events to records of JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from edgecnn.runtime.sinks.wall_clock import stamp
from edgecnn.tasks import for_prediction
from edgecnn.types import Event, Prediction, Result

SCHEMA_VERSION = 3  # 2 named the size of the frame without its unit, and had no time stamps of videos
Record: TypeAlias = dict[str, Any]


class Recorder:
    """Converts results to records, with the labels of each camera's model and the frame titles of its source.

    ``time_s`` counts seconds from the first record of this recorder.
    """

    def __init__(self, labels: Sequence[str] = (), title: Callable[[int], str] | None = None) -> None:
        self._cameras: dict[str, tuple[Sequence[str], Callable[[int], str]]] = {}
        self._others = labels, title or _frame_title
        self._start: float | None = None

    def add(self, camera: str, labels: Sequence[str], title: Callable[[int], str] | None = None) -> None:
        """Set labels and frame titles of ``camera``; call it again when the model changes."""
        self._cameras[camera] = labels, title or _frame_title

    def labels(self, camera: str) -> Sequence[str]:
        """Return the labels of a camera's model."""
        return self._of(camera)[0]

    def title(self, result: Result) -> str:
        """Return the title of a frame: the file name of an image, else "frame 12"."""
        return self._of(result.camera)[1](result.frame.index)

    def seconds(self, at: float) -> float:
        """Return the seconds from the first call to ``at``."""
        # The first frame of any camera starts the time, so that the times of several cameras can be compared.
        self._start = at if self._start is None else self._start
        return round(at - self._start, 4)

    def __call__(self, result: Result) -> Record:
        """Return the record of a result, as described in ``edgecnn.runtime.sinks.files.json_lines``."""
        frame = result.frame
        height, width = frame.image.shape[:2]
        return {
            "version": SCHEMA_VERSION,
            "camera": result.camera,
            "frame": frame.index,
            "name": self.title(result),
            "time": stamp(frame.captured_at),
            "time_s": self.seconds(frame.captured_at),
            "media_time_s": None if frame.media_time is None else round(frame.media_time, 4),
            "size_px": [width, height],
            **prediction_record(result.prediction, self.labels(result.camera)),
            "events": [event_record(event) for event in result.events],
            "stage_ms": {stage: round(ms, 3) for stage, ms in result.stage_ms.items()},
            "age_ms": round(result.age_ms, 3),
        }

    def _of(self, camera: str) -> tuple[Sequence[str], Callable[[int], str]]:
        return self._cameras.get(camera, self._others)


def _frame_title(index: int) -> str:
    return f"frame {index}"


def event_record(event: Event) -> Record:
    """Return kind, camera, time and details of an event."""
    return {"kind": event.kind, "camera": event.camera, "time": stamp(event.at), "details": dict(event.details)}


def prediction_record(prediction: Prediction, labels: Sequence[str]) -> Record:
    """Return the part of a record that holds the prediction."""
    return for_prediction(prediction).record(prediction, labels)
