"""What each image contributes to the accuracy, so that images can be drawn again for intervals of any figure made of accuracies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

import numpy as np

from edgecnn.metrics.bootstrap import drawn_weights
from edgecnn.metrics.class_matches import ClassMatches, weighted_precision
from edgecnn.metrics.estimate import Interval, percentile_interval
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.trust.judgement import Judgement
from edgecnn.types import Array, Int64

MAX_RESAMPLES, MIN_RESAMPLES = 200, 50
BUDGET = 20_000  # resamples times precision-recall curves
CLASS_RESAMPLES = 100  # for the classes of one level


class ImageEvidence(Protocol):
    """The judgements of one model under one condition, image by image."""

    def add(self, judgement: Judgement) -> None:
        """The next image."""
        ...

    def value(self, weight: Int64) -> float:
        """The accuracy with each image counted ``weight`` (images,) times."""
        ...

    def class_values(self, weights: Int64) -> dict[int, Array]:
        """The same for each class by its id, (R,) for R rows of ``weights`` (R, images); NaN without a true example."""
        ...


class LabelEvidence:
    """Classification: top-1."""

    def __init__(self) -> None:
        self._right: list[bool] = []
        self._truth: list[int] = []

    def add(self, judgement: Judgement) -> None:
        """The next image."""
        self._right.append(bool(judgement.right[0]))
        self._truth.append(int(judgement.truth[0]))

    def value(self, weight: Int64) -> float:
        """Top-1."""
        return float(np.array(self._right) @ weight / max(int(weight.sum()), 1))

    def class_values(self, weights: Int64) -> dict[int, Array]:
        """The share of each class that is right."""
        truth, right = np.array(self._truth), np.array(self._right)
        found = {}
        for class_id in np.unique(truth).tolist():
            counts = weights[:, truth == class_id].sum(1)
            hits = weights[:, (truth == class_id) & right].sum(1)
            found[class_id] = np.divide(hits, counts, out=np.full(len(weights), np.nan), where=counts > 0)
        return found


class BoxEvidence:
    """Detection: AP50, the mean of the classes that have objects."""

    def __init__(self) -> None:
        self._images = 0
        self._found: dict[int, list[tuple[int, float, bool]]] = defaultdict(list)
        self._objects: dict[int, list[int]] = defaultdict(list)
        self._matches: dict[int, ClassMatches] = {}

    def add(self, judgement: Judgement) -> None:
        """The next image."""
        for class_id, right, score in zip(
            judgement.truth.tolist(), judgement.right.tolist(), judgement.score.tolist(), strict=True
        ):
            self._objects[class_id].append(self._images)
            if right:
                self._found[class_id].append((self._images, score, True))
        for class_id, score in zip(judgement.extra.class_id.tolist(), judgement.extra.score.tolist(), strict=True):
            self._found[class_id].append((self._images, score, False))
        self._images += 1
        self._matches = {}

    def value(self, weight: Int64) -> float:
        """AP50; NaN where the weighted images hold no object."""
        values = np.array([values[0] for values in self.class_values(weight[None]).values()])
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    def class_values(self, weights: Int64) -> dict[int, Array]:
        """AP50 of each class."""
        self._matches = self._matches or {class_id: self._class(class_id) for class_id in sorted(self._objects)}
        if not self._matches:
            return {}
        values = weighted_precision(list(self._matches.values()), weights)[:, :, 0]
        return dict(zip(self._matches, values.T, strict=True))

    def _class(self, class_id: int) -> ClassMatches:
        rows = sorted(self._found[class_id], key=lambda row: -row[1])
        image, right = np.array([row[0] for row in rows], np.int64), np.array([[row[2] for row in rows]], bool).reshape(1, -1)
        score = np.array([row[1] for row in rows], np.float32)
        return ClassMatches(image, score, right, ~right, np.bincount(self._objects[class_id], minlength=self._images))


def evidence_for(task: TaskName) -> ImageEvidence | None:
    """For the judgements of a task; None where images have no judgement."""
    truth = find(task).truth
    return LabelEvidence() if truth == "label" else BoxEvidence() if find(task).has_boxes else None


def interval(figure: Callable[[Int64], float], images: int, cost: int, seed: int = 0) -> Interval | None:
    """The 95 % percentile interval of ``figure`` (of weights of the images) over images drawn with replacement (Efron 1979).

    ``cost`` is the number of accuracies in the figure. None with fewer than two images.
    """
    if images < 2:
        return None
    count = int(np.clip(BUDGET // max(cost, 1), MIN_RESAMPLES, MAX_RESAMPLES))
    values = [figure(weight) for weight in drawn_weights(images, count, seed)]
    return percentile_interval(np.array(values)) if np.isfinite(values).sum() >= MIN_RESAMPLES // 2 else None


def class_intervals(evidence: ImageEvidence, images: int, seed: int = 0) -> dict[int, Interval]:
    """The 95 % percentile interval of each class over images drawn with replacement; {} with fewer than two images."""
    if images < 2:
        return {}
    found = {}
    for class_id, values in evidence.class_values(drawn_weights(images, CLASS_RESAMPLES, seed)).items():
        own = percentile_interval(values)
        if own is not None and np.isfinite(values).sum() >= CLASS_RESAMPLES // 2:
            found[class_id] = own
    return found
