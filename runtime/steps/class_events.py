"""Emits an event when the class of a classifier changes and the new one stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgecnn.labels import label_of
from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.types import Classes, Event, Result


class ClassEvents:
    """Emits "class-changed" when another class has had the best score, of at least ``score``, for ``hold_s`` seconds.

    The first class that stays is an event, too, with an empty ``from``. Results of other models pass unchanged.
    """

    stage = "events"

    def __init__(self, labels: Sequence[str], score: float, hold_s: float = 0.0, *, clock: Clock = captured) -> None:
        self._labels, self._score, self._hold_s, self._clock = labels, score, hold_s, clock
        self._current = ""
        self._candidate, self._since = "", 0.0

    def __call__(self, result: Result) -> Result:
        """The result, with an event where the class changed."""
        found = result.prediction
        if not isinstance(found, Classes) or not len(found.score):
            return result
        best, at = float(found.score[found.top1]), self._clock(result.frame)
        # "not >=": a score of NaN is no class
        name = label_of(self._labels, found.top1) if best >= self._score else ""
        if name != self._candidate:
            self._candidate, self._since = name, at
        if not name or name == self._current or at - self._since < self._hold_s:
            return result
        details = {
            "from": self._current,
            "to": name,
            "score": round(best, 4),
            "frame": result.frame.index,
            "since_s": at - self._since,
        }
        self._current = name
        event = Event("class-changed", result.frame.captured_at, result.camera, details)
        return replace(result, events=(*result.events, event))
