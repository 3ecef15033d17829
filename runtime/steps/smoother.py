"""Smooths results over time: boxes and scores per track, class by majority vote, class scores and values of whole images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from edgecnn.runtime.steps.clock import Clock, captured
from edgecnn.runtime.steps.per_track import PerTrack
from edgecnn.tasks import for_prediction
from edgecnn.types import Detections, Float32, Result

VOTE_DECAY = 0.98  # per frame: a vote counts half after 34 frames


@dataclass(slots=True)
class _TrackState:
    """State of one track: smoothed box, its velocity in pixels per second, smoothed score, last update, votes by class."""

    box: Float32 | None = None
    speed: Float32 = field(default_factory=lambda: np.zeros(4, np.float32))
    score: float = 0.0
    at: float = 0.0
    votes: Counter[int] = field(default_factory=Counter)


class Smoother:
    """Smooths results exponentially with the time constant ``seconds``, after which a value weighs 1/e.

    Boxes go through an alpha-beta filter with beta = alpha² / (2 - alpha) (Benedict and Bordner 1962), which estimates the
    velocity, so that boxes in steady motion do not lag behind. A jump by more than half of the box size resets the box to the new
    position. Untracked boxes are not changed. Raises ``ValueError`` for negative ``seconds``.
    """

    stage = "smooth"

    def __init__(self, seconds: float = 0.15, *, clock: Clock = captured) -> None:
        if seconds < 0:
            raise ValueError(f"seconds must be at least 0, not {seconds}")
        self._seconds, self._clock = seconds, clock
        self._states: PerTrack[_TrackState] = PerTrack(_TrackState)
        self._mean: Float32 | None = None
        self._mean_at = 0.0

    def __call__(self, result: Result) -> Result:
        """Return the result with smoothed values."""
        at, found = self._clock(result.frame), result.prediction
        if isinstance(found, Detections):
            # Without tracks it is unknown which boxes of two frames belong to the same object.
            return result if found.track_id is None else replace(result, prediction=self._boxes(found, at))
        smoothed = for_prediction(found).smoothed(found, lambda new: self._average(new, at))
        return replace(result, prediction=smoothed)

    def _share(self, passed: float) -> float:
        """Return the weight of a new value after ``passed`` seconds: 1 - exp(-passed / seconds)."""
        # expm1 keeps its precision where passed / seconds is small, at high frame rates.
        return 1.0 if self._seconds == 0 else float(-np.expm1(-max(passed, 0.0) / self._seconds))

    def _average(self, new: Float32, at: float) -> Float32:
        if not np.isfinite(new).all():
            return new  # it would stay in the average for ever
        share = self._share(at - self._mean_at)
        # A reloaded model may have another number of classes; the average then starts again.
        fits = self._mean is not None and self._mean.shape == new.shape
        self._mean = (self._mean + np.float32(share) * (new - self._mean)).astype(np.float32) if fits else new  # type: ignore[operator]
        self._mean_at = at
        return self._mean

    def _boxes(self, found: Detections, at: float) -> Detections:
        assert found.track_id is not None
        xyxy, score, class_id = found.xyxy.copy(), found.score.copy(), found.class_id.copy()
        for row, track in enumerate(found.track_id.tolist()):
            state = self._states[track]
            self._update(state, found.xyxy[row], float(found.score[row]), int(found.class_id[row]), at)
            xyxy[row], score[row], class_id[row] = state.box, state.score, state.votes.most_common(1)[0][0]
        xywhr = found.xywhr
        if xywhr is not None:  # the centre follows the smoothed box
            middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (found.xyxy, xyxy)]
            xywhr = np.concatenate([xywhr[:, :2] + middles[1] - middles[0], xywhr[:, 2:]], 1)
        return Detections(xyxy, score, class_id, found.track_id, xywhr)

    def _update(self, state: _TrackState, box: Float32, score: float, class_id: int, at: float) -> None:
        if state.box is None:
            state.box, state.score = box, score
        else:
            self._follow(state, state.box, box, max(at - state.at, 0.0))
            state.score += self._share(at - state.at) * (score - state.score)
        state.at = at
        # Votes decay, so that a class that was wrong at first can still be outvoted after a long time.
        for voted in state.votes:
            state.votes[voted] *= VOTE_DECAY  # type: ignore[assignment]
        state.votes[class_id] += score  # type: ignore[assignment]

    def _follow(self, state: _TrackState, old: Float32, new: Float32, passed: float) -> None:
        share = self._share(passed)
        expected = old + np.float32(passed) * state.speed
        # beta / dt turns the error of the predicted position (pixels) into a correction of the velocity (pixels per second).
        gain = share**2 / (2 - share) / passed if passed else 0.0
        state.speed = (state.speed + np.float32(gain) * (new - expected)).astype(np.float32)
        state.box = new if _is_jump(expected, new) else (expected + np.float32(share) * (new - expected)).astype(np.float32)


def _is_jump(old: Float32, new: Float32) -> bool:
    size = np.maximum(new[2:] - new[:2], 1)
    return bool((np.abs(new - old) > np.concatenate([size, size]) / 2).any())
