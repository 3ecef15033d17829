"""What two files say of one image: how far they agree, how scores moved, and, where the truth is known, what was lost and gained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.metrics.match import match
from edgecnn.parity import TOLERANCES
from edgecnn.shown_scores import ShownScores
from edgecnn.tasks import compare
from edgecnn.trust.judgement import MISSED, Judgement
from edgecnn.types import Array, Classes, Detections, Int64, Prediction

AGREES = TOLERANCES["int8"]  # overlap, floor of scores and ties, as in the verification of an export


@dataclass(frozen=True, slots=True)
class ImagePair:
    """``index`` and ``name`` of an image of the dataset, and what the file before and the file after say of it.

    ``same`` of ``total`` parts agree (labels, or boxes of both sides). ``moved`` (m,) float32: score after - score before of what both
    name. ``named_before`` and ``named_after`` (k,) int64: the classes that each names, of the model or, with labels, of the dataset.
    With labels: ``truth`` (n,) int64 classes of the true instances, ``right_before`` and ``right_after`` (n,) bool, and the classes of what
    each names wrongly (``extra_before``, ``extra_after``); else these are None.
    """

    index: int
    name: str
    same: int
    total: int
    moved: Array
    named_before: Int64
    named_after: Int64
    truth: Int64 | None = None
    right_before: Array | None = None
    right_after: Array | None = None
    extra_before: Int64 | None = None
    extra_after: Int64 | None = None

    @property
    def lost(self) -> list[int]:
        """Classes of the instances that were right before and are not after."""
        return _classes(self.truth, self.right_before, self.right_after)

    @property
    def gained(self) -> list[int]:
        """Classes of the instances that are right after and were not before."""
        return _classes(self.truth, self.right_after, self.right_before)

    @property
    def more_extra(self) -> int:
        """How many more instances are named wrongly after than before."""
        return 0 if self.extra_before is None or self.extra_after is None else len(self.extra_after) - len(self.extra_before)

    @property
    def changed(self) -> bool:
        """Whether anything is right, wrong or named in one of the two only."""
        return self.same < self.total or bool(self.lost or self.gained or self.more_extra)

    @property
    def badness(self) -> tuple[float, float, float]:
        """For sorting, worst first with the highest: losses, then parts that do not agree, then how far scores moved."""
        loss = len(self.lost) - len(self.gained) + max(self.more_extra, 0)
        return loss, self.total - self.same, float(np.abs(self.moved).max(initial=0.0))


def _classes(truth: Int64 | None, yes: Array | None, no: Array | None) -> list[int]:
    if truth is None or yes is None or no is None:
        return []
    found: list[int] = truth[yes & ~no].tolist()
    return found


def pair_predictions(
    index: int,
    name: str,
    before: Prediction,
    after: Prediction,
    judged: tuple[Judgement, Judgement] | None = None,
    shown: tuple[ShownScores, ShownScores] = (ShownScores(), ShownScores()),
) -> ImagePair:
    """Compare the predictions of two files, which are ``shown`` from these scores on; with ``judged`` also what is right in them."""
    agreement = compare(before, after, AGREES)
    moved = _moved(before, after, agreement.score_gaps, shown)
    if judged is None:
        return ImagePair(index, name, agreement.same, agreement.total, moved, _named(before, shown[0]), _named(after, shown[1]))
    first, second = judged
    return ImagePair(
        index,
        name,
        agreement.same,
        agreement.total,
        moved,
        _said(first),
        _said(second),
        first.truth,
        first.right,
        second.right,
        _wrong(first),
        _wrong(second),
    )


def _said(judgement: Judgement) -> Int64:
    """All that is named: right instances, and wrong ones."""
    return np.concatenate([judgement.said[judgement.right], _wrong(judgement)])


def _wrong(judgement: Judgement) -> Int64:
    """What is named and not there: false positives, or the wrong class of a whole image."""
    if np.isnan(judgement.xyxy).all() and len(judgement):  # a whole image has no box
        wrong: Int64 = judgement.said[~judgement.right & (judgement.said != MISSED)]
        return wrong
    return judgement.extra.class_id


def _named(prediction: Prediction, shown: ShownScores) -> Int64:
    """The classes that a prediction names, as ids of the model; none for predictions without classes."""
    if isinstance(prediction, Classes):
        return np.array([prediction.top1], np.int64)
    if isinstance(prediction, Detections):
        return shown.keep(prediction).class_id
    return np.zeros(0, np.int64)


def _moved(before: Prediction, after: Prediction, gaps: Sequence[float], shown: tuple[ShownScores, ShownScores]) -> Array:
    """Score after - score before: of the class named before, of matched boxes; else the gaps of the agreement, without sign."""
    if isinstance(before, Classes) and isinstance(after, Classes):
        top = before.top1
        return np.array([after.score[top] - before.score[top]] if top < len(after.score) else [], np.float32)
    if isinstance(before, Detections) and isinstance(after, Detections):
        found = match(before, after, iou=AGREES.iou)
        left, right = found.pairs[:, 0], found.pairs[:, 1]
        counts = shown[0].passes(before)[left] | shown[1].passes(after)[right]
        return found.score_difference[counts]
    return np.asarray(gaps, np.float32)
