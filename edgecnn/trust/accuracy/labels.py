"""A classifier in detail: precision, recall and F1 by class, calibration by score, the classes that are taken for each other."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecnn.data import Dataset
from edgecnn.metrics.classification import ECE_BINS, wilson
from edgecnn.metrics.estimate import Estimate, Interval
from edgecnn.metrics.score import TITLES, Score
from edgecnn.trust.accuracy.estimate import AccuracyDetail, doubts, estimates
from edgecnn.trust.judgement import MISSED, Judgement
from edgecnn.types import Array, Int64

RESAMPLES: Final = 1000
CELLS: Final = 1_000_000  # resamples times counted cells: with many classes fewer resamples are drawn
LEAST_RESAMPLES: Final = 100
FINE: Final = 1000  # steps of the score that resamples of the calibration error tell apart
PAIRS, IMAGES = 10, 6  # confused pairs, and images kept of each


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose best score is above ``low`` and up to ``high``: mean score, and accuracy with its Wilson interval."""

    low: float
    high: float
    count: int
    score: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images of class ``truth`` that the model takes for ``said``: ``count`` of ``total``; ``images`` are some, the most certain first."""

    truth: str
    said: str
    count: int
    total: int
    images: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDetail(AccuracyDetail):
    """A classifier: see ``AccuracyDetail``; ``reliability`` is () where scores are no probabilities, ``never`` are labels nobody says."""

    reliability: tuple[ReliabilityBin, ...]
    confused: tuple[ConfusedPair, ...]
    never: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        bins = [
            {"low": one.low, "high": one.high, "count": one.count, "score": one.score, "accuracy": one.accuracy.to_dict()}
            for one in self.reliability
        ]
        pairs = [
            {"truth": one.truth, "said": one.said, "count": one.count, "of": one.total, "images": list(one.names)}
            for one in self.confused
        ]
        own = {"reliability": bins, "confused": pairs, "never_predicted": list(self.never)}
        return {**AccuracyDetail.to_dict(self), **own}


class LabelCollector:
    """Keeps 12 bytes of each image: its class, the class said, the score, and which image it is."""

    def __init__(self) -> None:
        self._truth, self._said, self._score, self._index = array("i"), array("i"), array("f"), array("q")

    def add(self, judgement: Judgement, index: int) -> None:
        """Add the image at ``index`` of the dataset."""
        self._truth.append(int(judgement.truth[0]))
        self._said.append(int(judgement.said[0]))
        self._score.append(float(judgement.score[0]))
        self._index.append(index)

    def detail(self, score: Score, dataset: Dataset, seed: int) -> LabelDetail:
        """Everything, with the ``score`` of the same images of ``dataset``."""
        truth, said = np.array(self._truth, np.int64), np.array(self._said, np.int64)
        sure, index = np.array(self._score, np.float64), np.array(self._index, np.int64)
        draw, labels = np.random.default_rng(seed), score.labels
        figures, classes, resamples = _class_figures(truth, said, labels, draw)
        if "top5" in score.values:
            figures["top5"] = _share(round(score.values["top5"] * score.n), score.n)
        bins: tuple[ReliabilityBin, ...] = ()
        if "ece" in score.values:
            right = truth == said
            figures |= _calibration(sure, right, draw)
            bins = reliability(sure, right)
        recall = {label: own["recall"] for label, own in classes.items()}
        never = tuple(label for label in classes if not (said == labels.index(label)).any())
        notes = doubts(figures["balanced_accuracy"], TITLES["balanced_accuracy"], recall, score.support, "images")
        if never:
            notes.insert(0, f"never predicted, though there are images of it: {', '.join(never)}")
        return LabelDetail(
            figures=figures,
            classes=classes,
            support=score.support,
            counted="images",
            resamples=resamples,
            notes=tuple(notes),
            reliability=bins,
            confused=_confused(truth, said, sure, index, dataset),
            never=never,
        )


def _class_figures(
    truth: Int64, said: Int64, labels: tuple[str, ...], draw: np.random.Generator
) -> tuple[dict[str, Estimate], dict[str, dict[str, Estimate]], int]:
    """Means over the classes that occur, figures by class, and the number of resamples. These draw the cells of the confusion matrix,
    which is the same as drawing images and takes as long for a million of them.
    """
    cells, counts = np.unique(truth * (len(labels) + 1) + np.where(said == MISSED, len(labels), said), return_counts=True)
    rows, columns = np.divmod(cells, len(labels) + 1)
    present = np.unique(truth)
    rounds = int(np.clip(CELLS // len(cells), LEAST_RESAMPLES, RESAMPLES)) if len(truth) > 1 else 0
    drawn = np.concatenate([counts[None], draw.multinomial(len(truth), counts / len(truth), size=rounds)])
    true, named, hits = (np.zeros((len(drawn), len(labels) + 1)) for _ in range(3))
    for sums, where, which in ((true, rows, slice(None)), (named, columns, slice(None)), (hits, rows, rows == columns)):
        np.add.at(sums.T, where[which], drawn.T[which])
    recall = np.where(true > 0, hits / np.maximum(true, 1), np.nan)[:, present]
    # a class that is never said has no precision: it counts as 0, as in scikit-learn
    precision = np.where(true > 0, hits / np.maximum(named, 1), np.nan)[:, present]
    f1 = np.where(true > 0, 2 * hits / np.maximum(true + named, 1), np.nan)[:, present]
    means = np.stack([np.nanmean(one, axis=1) for one in (precision, recall, f1)], 1)
    figures = estimates(("precision", "balanced_accuracy", "f1"), means[0], means[1:] if rounds else None)
    by_class = np.stack([precision, recall, f1], 2)
    classes = {}
    for place, class_id in enumerate(present.tolist()):
        own = estimates(("precision", "recall", "f1"), by_class[0, place], by_class[1:, place] if rounds else None)
        # a share of independent images: resamples of a class that is always right would never be wrong
        found = int(hits[0, class_id]), int(true[0, class_id])
        own["recall"] = _share(*found)
        classes[labels[class_id]] = own
    return figures, classes, rounds


def _share(hits: int, count: int) -> Estimate:
    return Estimate(hits / count, Interval(*wilson(hits, count)))


def reliability(score: Array, right: Array, bins: int = ECE_BINS) -> tuple[ReliabilityBin, ...]:
    """The bins of a reliability diagram (Guo et al. 2017) that hold images; bins are open on the left."""
    which = np.clip(np.ceil(score * bins).astype(np.int64) - 1, 0, bins - 1)
    found = []
    for place in np.unique(which).tolist():
        own = which == place
        hits, count = int(right[own].sum()), int(own.sum())
        found.append(ReliabilityBin(place / bins, (place + 1) / bins, count, float(score[own].mean()), _share(hits, count)))
    return tuple(found)


def adaptive_error(score: Array, right: Array, bins: int = ECE_BINS) -> float:
    """Calibration error over bins that hold the same number of images (Nixon et al. 2019, with the weights of ECE)."""
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(score[part].sum() - right[part].sum()) for part in parts) / len(score))


def _calibration(score: Array, right: Array, draw: np.random.Generator) -> dict[str, Estimate]:
    """ECE and its adaptive form; resamples draw cells of FINE steps of the score, right and wrong, in place of images."""
    from edgecnn.metrics.classification import calibration_error

    cell = np.minimum((score * FINE).astype(np.int64), FINE - 1) * 2 + right
    cells, inverse, counts = np.unique(cell, return_inverse=True, return_counts=True)
    mean = np.bincount(inverse, weights=score) / counts
    gap = (cells % 2) - mean
    drawn = draw.multinomial(len(score), counts / len(score), size=RESAMPLES) if len(score) > 1 else np.zeros((0, len(cells)))
    fixed = np.clip(np.ceil(mean * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    onto = np.eye(ECE_BINS)[fixed]
    plain = np.abs((drawn * gap) @ onto).sum(1) / len(score)
    middle = np.cumsum(drawn, 1) - drawn / 2
    equal = np.minimum((middle / len(score) * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    adaptive = sum(np.abs(np.where(equal == place, drawn * gap, 0).sum(1)) for place in range(ECE_BINS)) / len(score)
    samples = np.stack([plain, np.asarray(adaptive)], 1) if len(drawn) else None
    values = np.array([calibration_error(score, right), adaptive_error(score, right)])
    return {name: one.held() for name, one in estimates(("ece", "adaptive_ece"), values, samples).items()}


def _confused(truth: Int64, said: Int64, score: Array, index: Int64, dataset: Dataset) -> tuple[ConfusedPair, ...]:
    wrong = np.flatnonzero((truth != said) & (said != MISSED))
    if not len(wrong):
        return ()
    labels = dataset.labels
    pairs, counts = np.unique(truth[wrong] * len(labels) + said[wrong], return_counts=True)
    found = []
    for place in np.argsort(-counts, kind="stable")[:PAIRS].tolist():
        one, other = divmod(int(pairs[place]), len(labels))
        own = wrong[(truth[wrong] == one) & (said[wrong] == other)]
        shown = index[own[np.argsort(-score[own], kind="stable")][:IMAGES]].tolist()
        names = tuple(dataset.samples[image].name for image in shown)
        total = int((truth == one).sum())
        found.append(ConfusedPair(labels[one], labels[other], int(counts[place]), total, tuple(shown), names))
    return tuple(found)
