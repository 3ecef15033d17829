"""Classification: top-1, top-5, accuracy by class, confusion matrix and expected calibration error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from edgecnn.metrics.score import Score
from edgecnn.types import Array, Float32, Int64

ECE_BINS = 15
Z_95 = 1.959964


@dataclass(slots=True)
class ClassTally:
    """Collects one image after the other; only three numbers of each are kept."""

    labels: tuple[str, ...]
    _truth: list[int] = field(default_factory=list)
    _found: list[int] = field(default_factory=list)
    _rank: list[int] = field(default_factory=list)
    _score: list[float] = field(default_factory=list)

    def add(self, scores: Float32, truth: int) -> None:
        """Scores (C,) of the dataset's classes, -inf for one that the model lacks, and the true class."""
        own = scores[truth]
        better = int(np.count_nonzero(scores > own) + np.count_nonzero(scores[:truth] == own))
        self._truth.append(truth)
        self._found.append(int(scores.argmax()))
        self._rank.append(len(scores) if own == -np.inf else better)
        self._score.append(float(scores.max()))

    def score(self, notes: tuple[str, ...]) -> Score:
        """The Score of all that was added."""
        truth, rank = np.array(self._truth, np.int64), np.array(self._rank, np.int64)
        right = rank == 0
        support = np.bincount(truth, minlength=len(self.labels))
        hits = np.bincount(truth[right], minlength=len(self.labels))
        low, high = wilson(int(right.sum()), len(right))
        values = {"top1": float(right.mean()), "top1_low": low, "top1_high": high}
        if len(self.labels) > 5:
            values["top5"] = float((rank < 5).mean())
        score = np.array(self._score, np.float64)
        if score.min() >= 0 and score.max() <= 1 + 1e-3:
            values["ece"] = calibration_error(score, right)
        present = [index for index in range(len(self.labels)) if support[index]]
        return Score(
            task="classify",
            n=len(right),
            labels=self.labels,
            values=values,
            per_class={self.labels[index]: float(hits[index] / support[index]) for index in present},
            support={self.labels[index]: int(support[index]) for index in present},
            confusion=confusion_matrix(truth, np.array(self._found, np.int64), len(self.labels)),
            notes=notes,
        )


def confusion_matrix(truth: Int64, found: Int64, classes: int) -> Int64:
    """(C, C) int64: row the true class, column the predicted one."""
    counts = np.bincount(truth * classes + found, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def calibration_error(score: Array, right: Array, bins: int = ECE_BINS) -> float:
    """Expected calibration error: mean gap between score and accuracy over bins of the score (Guo et al. 2017, eq. 3)."""
    which = np.clip(np.ceil(score * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(which, weights=right, minlength=bins) - np.bincount(which, weights=score, minlength=bins)
    return float(np.abs(gap).sum() / len(score))


def wilson(right: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927)."""
    share = right / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)
