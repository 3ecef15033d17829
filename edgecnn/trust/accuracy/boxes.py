"""A detector in detail: AP by class and size with intervals, precision-recall curves, kinds of errors and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecnn.metrics.average_precision import AP50, AP75, average_precision
from edgecnn.metrics.bootstrap import class_mean, drawn_precision, once_and_drawn
from edgecnn.metrics.box_matches import AREAS, BoxMatches
from edgecnn.metrics.class_matches import RECALL_LEVELS, ClassMatches
from edgecnn.metrics.estimate import Estimate
from edgecnn.metrics.score import TITLES, Score
from edgecnn.shown_scores import ShownScores
from edgecnn.trust.accuracy.error_cost import ErrorCollector, ErrorKindCost, ErrorTable
from edgecnn.trust.accuracy.estimate import AccuracyDetail, doubts, estimates
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

    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDetail(AccuracyDetail):
    """A detector: see ``AccuracyDetail``; ``curves`` and ``working`` by label, ``errors`` by kind.

    ``errors`` and ``working`` count the boxes that are shown: from ``threshold`` on, or that of the class in ``class_thresholds``.
    """

    errors: tuple[ErrorKindCost, ...]
    curves: Mapping[str, PrecisionRecall]
    working: Mapping[str, WorkingPoint]
    threshold: float
    class_thresholds: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        curves = {
            name: {"precision": list(one.precision), "best_f1": one.f1, "best_score": one.score}
            for name, one in self.curves.items()
        }
        working: dict[str, dict[str, Any]] = {
            name: {"precision": one.precision.to_dict(), "recall": one.recall.to_dict(), "f1": one.f1.to_dict()}
            for name, one in self.working.items()
        }
        errors = {one.kind: {"count": one.count, "cost_ap50": one.cost.to_dict()} for one in self.errors}
        if self.class_thresholds:
            working = {name: {"threshold": self.class_thresholds[name], **one} for name, one in working.items()}
        own = {"threshold": self.threshold, "errors": errors, "at_threshold": working, "precision_recall": curves}
        return {**AccuracyDetail.to_dict(self), **own}


class BoxCollector:
    """Collects the errors of a detector, image by image."""

    def __init__(self, shown: ShownScores | None = None) -> None:
        self._errors, self._shown = ErrorCollector(), shown or ShownScores()

    def add(self, judgement: Judgement, index: int) -> None:
        """Add the image at ``index`` of the dataset, judged at a score threshold of 0."""
        self._errors.add(judgement)

    def detail(self, score: Score, seed: int) -> BoxDetail:
        """Everything, with the ``score`` of the same images."""
        matches, table, shown = score.matches, self._errors.table(), self._shown
        assert matches is not None
        ids = {label: score.labels.index(label) for label in score.per_class}
        figures, classes = _precisions(matches, ids, seed)
        rounds = 0 if matches.drawn is None else len(matches.drawn)
        weight = once_and_drawn(matches.images, rounds, seed)
        ap = {label: own["ap"] for label, own in classes.items()}
        return BoxDetail(
            figures=figures,
            classes=classes,
            support=score.support,
            counted="boxes",
            resamples=rounds,
            notes=tuple(doubts(figures["map"], TITLES["map"], ap, score.support, "boxes")),
            errors=table.costs(shown, seed),
            curves=dict(zip(ids, map(_curve, matches.of_classes(list(ids.values()))), strict=True)),
            working={label: _working(table, own, shown.one(own), weight) for label, own in ids.items()},
            threshold=shown.usual,
            class_thresholds={label: shown.one(own) for label, own in ids.items()} if shown.own else {},
        )


def _precisions(
    matches: BoxMatches, ids: Mapping[str, int], seed: int
) -> tuple[dict[str, Estimate], dict[str, dict[str, Estimate]]]:
    """Means over the classes, by size, and AP by class, each with the interval of the same resamples."""
    figures: dict[str, Estimate] = {}
    classes: dict[str, dict[str, Estimate]] = {}
    for area in AREAS:
        own = matches.of_classes(list(ids.values()), area)
        values = average_precision(own)[None]
        samples = matches.drawn if area == "all" and seed == 0 else drawn_precision(own, matches.images, seed)
        mean = class_mean(values)[0]
        means = None if samples is None else class_mean(samples)
        if area != "all":
            figures |= estimates(
                (f"ap_{area}",), mean.mean(keepdims=True), None if means is None else means.mean(1, keepdims=True)
            )
            continue
        figures |= estimates(OVERALL, _three(mean[None])[0], None if means is None else _three(means))
        figures["ar"] = _recall(own, matches.images, 0 if samples is None else len(samples), seed)
        for place, label in enumerate(ids):
            drawn = None if samples is None else _three(samples[:, place])
            classes[label] = estimates(("ap", "ap50", "ap75"), _three(values[:, place])[0], drawn)
    return figures, classes


def _recall(matches: Sequence[ClassMatches], images: int, rounds: int, seed: int) -> Estimate:
    """AR: the mean of the recall over classes and IoU thresholds."""
    weight = once_and_drawn(images, rounds, seed)
    hits = np.stack([weight @ _by_image(one, images) for one in matches], 1)
    objects = (weight @ np.stack([one.objects for one in matches], 1))[..., None]
    values = class_mean(np.where(objects > 0, hits / np.maximum(objects, 1), np.nan)).mean(1, keepdims=True)
    return estimates(("ar",), values[0], values[1:] if rounds else None)["ar"]


def _by_image(matches: ClassMatches, images: int) -> Array:
    """True positives of each image at each IoU threshold (images, T)."""
    return np.stack([np.bincount(matches.image[true], minlength=images) for true in matches.true_positive], 1)


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


def _working(table: ErrorTable, class_id: int, threshold: float, weight: Array) -> WorkingPoint:
    right, named, objects = table.found(class_id, threshold)
    hits, boxes, instances = (weight @ counts for counts in (right, named, objects))
    shares = np.stack([hits / np.maximum(whole, 1) for whole in (boxes, instances, (boxes + instances) / 2)], 1)
    return WorkingPoint(**estimates(("precision", "recall", "f1"), shares[0], shares[1:] if len(weight) > 1 else None))
