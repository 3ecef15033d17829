"""Events of a classifier's classes."""

from __future__ import annotations

import numpy as np

from edgecnn.runtime.steps.class_events import ClassEvents
from edgecnn.types import Classes, Detections, Frame, Prediction, Result

LABELS = ("healthy", "worn")


def result(seconds: float, prediction: Prediction) -> Result:
    return Result(Frame(round(seconds * 10), seconds, np.zeros((2, 2, 3), np.uint8)), prediction, {}, 0.0, "pump")


def scores(worn: float) -> Classes:
    return Classes(np.float32([1 - worn, worn]))


def changes(rows: list[tuple[float, float]], score: float, hold_s: float) -> list[tuple[float, str, str]]:
    step = ClassEvents(LABELS, score, hold_s)
    found = [(at, event) for at, worn in rows for event in step(result(at, scores(worn))).events]
    assert all(event.kind == "class-changed" and event.camera == "pump" for _, event in found)
    return [(at, event.details["from"], event.details["to"]) for at, event in found]


def test_a_class_that_stays_is_an_event_once() -> None:
    rows = [(0.0, 0.1), (0.1, 0.1), (0.2, 0.9), (0.3, 0.9), (0.4, 0.9), (0.5, 0.9)]
    assert changes(rows, 0.5, 0.15) == [(0.4, "", "worn")]
    assert changes(rows, 0.5, 0.0) == [(0.0, "", "healthy"), (0.2, "healthy", "worn")]


def test_a_class_that_goes_at_once_or_is_uncertain_is_none() -> None:
    rows = [(0.0, 0.1), (0.2, 0.1), (0.3, 0.9), (0.4, 0.1), (0.5, 0.55), (0.8, 0.55), (0.9, float("nan"))]
    assert changes(rows, 0.6, 0.2) == [(0.2, "", "healthy")]


def test_a_pause_starts_the_time_again() -> None:
    rows = [(0.0, 0.9), (0.1, 0.5), (0.2, 0.9), (0.3, 0.9), (0.4, 0.9)]
    assert changes(rows, 0.6, 0.2) == [(0.4, "", "worn")]


def test_results_of_other_models_pass() -> None:
    boxes = result(0.0, Detections.empty())
    assert ClassEvents(LABELS, 0.5)(boxes) is boxes
