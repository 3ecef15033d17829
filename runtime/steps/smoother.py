"""Steadier results: boxes and scores over the life of a track, its class by vote, and moving averages of classes and values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.runtime.steps.per_track import PerTrack
from edgecnn.types import Classes, Detections, Float32, Result, Values

FORGETS = 0.98  # a vote counts half after 34 more


@dataclass(slots=True)
class _Life:
    """The smoothed box of a track, how it moves in pixels a second, its score, when it was seen last, the votes for each class."""

    box: Float32 | None = None
    speed: Float32 = field(default_factory=lambda: np.zeros(4, np.float32))
    score: float = 0.0
    at: float = 0.0
    votes: Counter[int] = field(default_factory=Counter)


class Smoother:
    """Averages over about ``seconds``: what is that long ago counts 1/e. Boxes that have no identity stay as they are.

    The filter of a box knows its speed (alpha-beta, with beta = alpha² / (2 - alpha)), so that what moves evenly is not shown late; a
    jump by more than half the size of a box is followed at once.
    """

    stage = "smooth"

    def __init__(self, seconds: float = 0.15, *, clock: Clock = captured) -> None:
        if seconds < 0:
            raise ValueError(f"seconds must be at least 0, not {seconds}")
        self._seconds, self._clock = seconds, clock
        self._lives: PerTrack[_Life] = PerTrack(_Life)
        self._whole: Float32 | None = None
        self._whole_at = 0.0

    def __call__(self, result: Result) -> Result:
        """The result with averages in place of single values."""
        at, found = self._clock(result.frame), result.prediction
        if isinstance(found, Detections):
            return result if found.track_id is None else replace(result, prediction=self._boxes(found, at))
        if isinstance(found, Classes):
            return replace(result, prediction=Classes(self._average(found.score, at)))
        return replace(result, prediction=Values(self._average(found.value, at)))

    def _share(self, passed: float) -> float:
        """How much the new value counts after ``passed`` seconds."""
        return 1.0 if self._seconds == 0 else float(-np.expm1(-max(passed, 0.0) / self._seconds))

    def _average(self, new: Float32, at: float) -> Float32:
        share = self._share(at - self._whole_at)
        fits = self._whole is not None and self._whole.shape == new.shape
        self._whole = (self._whole + np.float32(share) * (new - self._whole)).astype(np.float32) if fits else new  # type: ignore[operator]
        self._whole_at = at
        return self._whole

    def _boxes(self, found: Detections, at: float) -> Detections:
        assert found.track_id is not None
        xyxy, score, class_id = found.xyxy.copy(), found.score.copy(), found.class_id.copy()
        for row, track in enumerate(found.track_id.tolist()):
            life = self._lives[track]
            self._live(life, found.xyxy[row], float(found.score[row]), int(found.class_id[row]), at)
            xyxy[row], score[row], class_id[row] = life.box, life.score, life.votes.most_common(1)[0][0]
        return Detections(xyxy, score, class_id, found.track_id)

    def _live(self, life: _Life, box: Float32, score: float, class_id: int, at: float) -> None:
        if life.box is None:
            life.box, life.score = box, score
        else:
            self._follow(life, life.box, box, max(at - life.at, 0.0))
            life.score += self._share(at - life.at) * (score - life.score)
        life.at = at
        for voted in life.votes:
            life.votes[voted] *= FORGETS  # type: ignore[assignment]
        life.votes[class_id] += score  # type: ignore[assignment]

    def _follow(self, life: _Life, old: Float32, new: Float32, passed: float) -> None:
        share = self._share(passed)
        expected = old + np.float32(passed) * life.speed
        gain = share**2 / (2 - share) / passed if passed else 0.0
        life.speed = (life.speed + np.float32(gain) * (new - expected)).astype(np.float32)
        life.box = new if _jumps(expected, new) else (expected + np.float32(share) * (new - expected)).astype(np.float32)


def _jumps(old: Float32, new: Float32) -> bool:
    size = np.maximum(new[2:] - new[:2], 1)
    return bool((np.abs(new - old) > np.concatenate([size, size]) / 2).any())
