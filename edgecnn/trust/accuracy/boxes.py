"""A detector in detail: AP by class and size with intervals, precision-recall curves, kinds of errors and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecnn.metrics.average_precision import AP50, AP75, average_precision
from edgecnn.metrics.bootstrap import class_mean, drawn_precision
from edgecnn.metrics.box_matches import AREAS, RECALL_LEVELS, BoxMatches, ClassMatches
from edgecnn.metrics.score import TITLES, Score
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.trust.accuracy.error_cost import ErrorCollector, ErrorKindCost, ErrorTable
from edgecnn.trust.accuracy.estimate import AccuracyDetail, AccuracyEstimate, doubts, estimates
from edgecnn.trust.judgement import Judgement
from edgecnn.types import Array

OVERALL: Final = ("map", "ap50", "ap75")


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision at each of the 101 recall levels at an IoU of 0.5; 0 where a recall is never reached. ``score`` is that of the highest
    F1, ``f1`` its value.
    """

    precision: tuple[float, ...]
    score: float
    f1: float


@dataclass(frozen=True, slots=True)
class WorkingPoint:
    """Precision, recall and F1 of a class from the score threshold on."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDetail(AccuracyDetail):
    """A detector: see ``AccuracyDetail``; ``curves`` and ``working`` by label, ``errors`` by kind, counted from ``threshold`` on."""

    errors: tuple[ErrorKindCost, ...]
    curves: Mapping[str, PrecisionRecall]
    working: Mapping[str, WorkingPoint]
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        curves = {
            name: {"precision": list(one.precision), "best_f1": one.f1, "best_score": one.score}
            for name, one in self.curves.items()
        }
        working = {name: {"precision": one.precision, "recall": one.recall, "f1": one.f1} for name, one in self.working.items()}
        errors = {one.kind: {"count": one.count, "cost_ap50": one.cost.to_dict()} for one in self.errors}
        own = {"threshold": self.threshold, "errors": errors, "at_threshold": working, "precision_recall": curves}
        return {**AccuracyDetail.to_dict(self), **own}


class BoxCollector:
    """Collects the errors of a detector, image by image."""

    def __init__(self, threshold: float = SHOWN_SCORE) -> None:
        self._errors, self._threshold = ErrorCollector(), threshold

    def add(self, judgement: Judgement, index: int) -> None:
        """Add the image at ``index`` of the dataset, judged at a score threshold of 0."""
        self._errors.add(judgement)

    def detail(self, score: Score, seed: int) -> BoxDetail:
        """Everything, with the ``score`` of the same images."""
        matches, table = score.matches, self._errors.table()
        assert matches is not None
        ids = {label: score.labels.index(label) for label in score.per_class}
        figures, classes = _precisions(matches, ids, seed)
        ap = {label: own["ap"] for label, own in classes.items()}
        return BoxDetail(
            figures=figures,
            classes=classes,
            support=score.support,
            counted="boxes",
            notes=tuple(doubts(figures["map"], TITLES["map"], ap, score.support, "boxes")),
            errors=table.costs(self._threshold, seed),
            curves={label: _curve(matches.of_class(own)) for label, own in ids.items()},
            working={label: _working(table, own, self._threshold) for label, own in ids.items()},
            threshold=self._threshold,
        )


def _precisions(
    matches: BoxMatches, ids: Mapping[str, int], seed: int
) -> tuple[dict[str, AccuracyEstimate], dict[str, dict[str, AccuracyEstimate]]]:
    """Means over the classes, by size, and AP by class, each with the interval of the same resamples."""
    figures: dict[str, AccuracyEstimate] = {}
    classes: dict[str, dict[str, AccuracyEstimate]] = {}
    for area in AREAS:
        own = [matches.of_class(class_id, area) for class_id in ids.values()]
        values = np.stack([average_precision(item) for item in own])[None]
        samples = matches.drawn if area == "all" and seed == 0 else drawn_precision(own, matches.images, seed)
        mean = class_mean(values)[0]
        means = None if samples is None else class_mean(samples)
        if area != "all":
            figures |= estimates(
                (f"ap_{area}",), mean.mean(keepdims=True), None if means is None else means.mean(1, keepdims=True)
            )
            continue
        figures |= estimates(OVERALL, _three(mean[None])[0], None if means is None else _three(means))
        for place, label in enumerate(ids):
            drawn = None if samples is None else _three(samples[:, place])
            classes[label] = estimates(("ap", "ap50", "ap75"), _three(values[:, place])[0], drawn)
    return figures, classes


def _three(values: Array) -> Array:
    """The mean, AP50 and AP75 (R, 3) of average precision (R, T)."""
    return np.stack([values.mean(1), values[:, AP50], values[:, AP75]], 1)


def _curve(matches: ClassMatches) -> PrecisionRecall:
    recall, precision, score = matches.curve()
    if not len(score):
        return PrecisionRecall((0.0,) * len(RECALL_LEVELS), 0.0, 0.0)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    place = np.minimum(np.searchsorted(recall, RECALL_LEVELS, side="left"), len(score))
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f1.argmax())
    return PrecisionRecall(tuple(envelope[place].tolist()), float(score[best]), float(f1[best]))


def _working(table: ErrorTable, class_id: int, threshold: float) -> WorkingPoint:
    right, named, objects = table.found(class_id, threshold)
    return WorkingPoint(right / max(named, 1), right / max(objects, 1), 2 * right / max(named + objects, 1))
