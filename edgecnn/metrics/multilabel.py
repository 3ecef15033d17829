"""Measures a classifier of several labels per image: average precision of each label, F1 at the threshold."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgecnn.errors import InputError
from edgecnn.metrics.left_out import left_out
from edgecnn.metrics.score import Score
from edgecnn.types import Array, Float32


@dataclass(slots=True)
class MultiLabelAccumulator:
    """Accumulates scores, decisions and truth image by image."""

    labels: tuple[str, ...]
    _scores: list[Float32] = field(default_factory=list)
    _chosen: list[NDArray[np.bool_]] = field(default_factory=list)
    _truth: list[NDArray[np.bool_]] = field(default_factory=list)
    _known: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(self, scores: Float32, threshold: float, truth: frozenset[int], unlabelled: frozenset[int] = frozenset()) -> None:
        """Add one image: scores (C,) of the dataset's labels (-inf where the model has none), its true and its unlabelled ones."""
        here = np.zeros((2, len(self.labels)), np.bool_)
        here[0, list(truth)] = here[1, list(unlabelled)] = True
        self._scores.append(np.where(np.isnan(scores), -np.inf, scores).astype(np.float32))
        self._chosen.append(scores >= threshold)
        self._truth.append(here[0])
        self._known.append(~here[1])

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added; labels that no image has are left out of the means. Raises ``InputError`` without any."""
        scores = np.stack(self._scores)
        chosen, truth, known = (np.stack(rows) for rows in (self._chosen, self._truth, self._known))
        columns = [known[:, index] for index in range(len(self.labels))]
        support = [int(truth[rows, index].sum()) for index, rows in enumerate(columns)]
        present = [index for index, count in enumerate(support) if count]
        if not present:
            raise InputError("no image of the dataset has a label", "name a dataset or split with labels")
        precision = precisions(scores, truth, known)
        hits = [(chosen & truth & known)[:, index].sum() for index in range(len(self.labels))]
        found = [(chosen & known)[:, index].sum() for index in range(len(self.labels))]
        values = {
            "label_map": float(np.mean(list(precision.values()))),
            "f1_micro": f1(sum(hits), sum(found), sum(support)),
            "f1_macro": float(np.mean([f1(hits[index], found[index], support[index]) for index in present])),
            "exact": float(((chosen == truth) | ~known).all(axis=1).mean()),
        }
        return Score(
            task="multilabel",
            n=len(truth),
            labels=self.labels,
            metric="label_map",
            measured="AP",
            values=values,
            per_class={self.labels[index]: precision[index] for index in present},
            support={self.labels[index]: support[index] for index in present},
            notes=notes,
            left_out=left_out(len(truth), lambda kept: mean_precision(scores[kept], truth[kept], known[kept])),
        )


def precisions(scores: Array, truth: Array, known: Array) -> dict[int, float]:
    """Average precision of each label that an image has; scores, truth and whether an image is labelled for it, each (n, C)."""
    columns = [(index, known[:, index]) for index in range(truth.shape[1])]
    return {
        index: average_precision(scores[rows, index], truth[rows, index]) for index, rows in columns if truth[rows, index].any()
    }


def mean_precision(scores: Array, truth: Array, known: Array) -> float:
    """The mean of ``precisions``; NaN where no image has a label."""
    found = precisions(scores, truth, known)
    return float(np.mean(list(found.values()))) if found else float("nan")


def average_precision(scores: Array, truth: Array) -> float:
    """Average precision of one label: sum of the precision at each true image by descending score, over their number.

    Scores that are equal count as found together, as in scikit-learn: sum of (recall_n - recall_(n-1)) * precision_n over thresholds.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last image of each group of equal scores
    precision, recall = hits[last] / (np.flatnonzero(last) + 1), hits[last] / max(int(hits[-1]), 1)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def f1(hits: int, found: int, true: int) -> float:
    """Harmonic mean of precision and recall; 0 where nothing was found or there is nothing to find."""
    return float(2 * hits / (found + true)) if found + true else 0.0
