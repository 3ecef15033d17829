"""Computes top-1, top-5, accuracy by class, confusion matrix and expected calibration error of a classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from edgecnn.metrics.left_out import left_out
from edgecnn.metrics.score import Score
from edgecnn.types import Array, Float32, Int64

ECE_BINS = 15  # as in Guo et al. 2017
Z_95 = 1.959964  # the 97.5 % quantile of the normal distribution


@dataclass(slots=True)
class ClassificationAccumulator:
    """Accumulates predictions image by image; keeps only class ids, the rank of the true class and the best score."""

    labels: tuple[str, ...]
    _truth: list[int] = field(default_factory=list)
    _predicted: list[int] = field(default_factory=list)
    _rank: list[int] = field(default_factory=list)
    _score: list[float] = field(default_factory=list)

    def add(self, scores: Float32, truth: int) -> None:
        """Add one image: scores (C,) of the dataset's classes, -inf for a class that the model lacks, and the true class."""
        scores = np.where(np.isnan(scores), -np.inf, scores)  # a score that is no number is never right
        own = scores[truth]
        # of equal scores the lower class id ranks higher, as in argmax
        better = int(np.count_nonzero(scores > own) + np.count_nonzero(scores[:truth] == own))
        self._truth.append(truth)
        self._predicted.append(int(scores.argmax()))
        self._rank.append(len(scores) if own == -np.inf else better)
        self._score.append(float(scores.max()) if np.isfinite(scores).any() else 0.0)

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added."""
        truth, rank = np.array(self._truth, np.int64), np.array(self._rank, np.int64)
        correct = rank == 0
        support = np.bincount(truth, minlength=len(self.labels))
        hits = np.bincount(truth[correct], minlength=len(self.labels))
        low, high = wilson(int(correct.sum()), len(correct))
        values = {"top1": float(correct.mean()), "top1_low": low, "top1_high": high}
        if len(self.labels) > 5:
            values["top5"] = float((rank < 5).mean())
        score = np.array(self._score, np.float64)
        # calibration error is defined for probabilities only; rounding may exceed 1 slightly
        if score.min() >= 0 and score.max() <= 1 + 1e-3:
            values["ece"] = calibration_error(score, correct)
        present = [index for index in range(len(self.labels)) if support[index]]
        return Score(
            task="classify",
            n=len(correct),
            labels=self.labels,
            metric="top1",
            values=values,
            per_class={self.labels[index]: float(hits[index] / support[index]) for index in present},
            support={self.labels[index]: int(support[index]) for index in present},
            confusion=confusion_matrix(truth, np.array(self._predicted, np.int64), len(self.labels)),
            notes=notes,
            left_out=left_out(len(correct), lambda kept: correct[kept].mean()),
        )


def confusion_matrix(truth: Int64, predicted: Int64, classes: int) -> Int64:
    """Counts (C, C) int64: rows are true classes, columns predicted classes."""
    # each pair of classes has its own number: one pass counts all cells
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def calibration_error(score: Array, correct: Array, bins: int = ECE_BINS) -> float:
    """Expected calibration error: mean gap between score and accuracy over bins of the score (Guo et al. 2017, eq. 3)."""
    # bins are open on the left, ((m - 1) / M, m / M], as in the paper
    which = np.clip(np.ceil(score * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(which, weights=correct, minlength=bins) - np.bincount(which, weights=score, minlength=bins)
    return float(np.abs(gap).sum() / len(score))


def wilson(correct: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of the proportion ``correct`` / ``n`` (Wilson 1927), 95 % by default."""
    proportion = correct / n
    centre = proportion + z * z / (2 * n)
    spread = z * math.sqrt(proportion * (1 - proportion) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # the ends are exact where all or none are right: the rounding of the sums would give 0.9999999999999998
    low = max((centre - spread) / scale, 0.0) if correct else 0.0
    high = min((centre + spread) / scale, 1.0) if correct < n else 1.0
    return low, high
