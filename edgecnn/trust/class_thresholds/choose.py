"""The score threshold of a class with the largest F1, from boxes with their scores and whether they are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecnn.counts import counted
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Array

LEAST_OBJECTS: Final = 20  # with fewer the best threshold is chance
STEPS: Final = np.arange(1, 100) / 100  # the thresholds that are tried
_EQUAL: Final = 1e-9


@dataclass(frozen=True, slots=True)
class ThresholdScores:
    """Precision, recall and F1 of a class from a score ``threshold`` on; a precision without any box is 0."""

    threshold: float
    precision: float
    recall: float
    f1: float

    def to_dict(self) -> dict[str, float]:
        """As plain values."""
        return {"threshold": self.threshold, "precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """A class with its number of ``objects``: the scores at its ``present`` threshold and at the ``chosen`` one.

    ``chosen`` is None where the class keeps the present one, and ``why`` says why.
    """

    label: str
    objects: int
    present: ThresholdScores
    chosen: ThresholdScores | None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        chosen = None if self.chosen is None else self.chosen.to_dict()
        return {
            "label": self.label,
            "objects": self.objects,
            "chosen": chosen,
            "present": self.present.to_dict(),
            "why": self.why,
        }


def scores_at(threshold: float, score: Array, right: Array, objects: int) -> ThresholdScores:
    """Precision, recall and F1 of the boxes (n,) with a ``score`` from ``threshold`` on, of which ``right`` (n,) bool are right."""
    kept = score >= np.float32(threshold)
    hits, boxes = int(right[kept].sum()), int(kept.sum())
    return ThresholdScores(threshold, hits / max(boxes, 1), hits / max(objects, 1), 2 * hits / max(boxes + objects, 1))


def choose_threshold(
    label: str, score: Array, right: Array, objects: int, *, present: float = SHOWN_SCORE, least: int = LEAST_OBJECTS
) -> ClassChoice:
    """The threshold among ``STEPS`` with the largest F1; of several that are as good the middle one of the longest row.

    ``score`` (n,) and ``right`` (n,) bool are the boxes of the class in all images, ``objects`` how many there are to find. A class with
    fewer than ``least`` objects keeps its ``present`` threshold, and so does one without any right box.
    """
    now = scores_at(present, score, right, objects)
    if objects < least:
        return ClassChoice(label, objects, now, None, f"{counted(objects, 'object')}, fewer than {least}")
    tried = [scores_at(float(step), score, right, objects) for step in STEPS]
    f1 = np.array([one.f1 for one in tried])
    if not f1.max():
        return ClassChoice(label, objects, now, None, "no box is right")
    rows = np.split(np.arange(len(f1)), np.flatnonzero(np.diff(f1 >= f1.max() - _EQUAL)) + 1)
    best = max((row for row in rows if f1[row[0]] >= f1.max() - _EQUAL), key=len)
    return ClassChoice(label, objects, now, tried[int(best[(len(best) - 1) // 2])])
