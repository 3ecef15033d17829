"""Combines the boxes of several detectors into labels: what several agree on is a label, what one alone finds is uncertain.

Boxes are combined as in weighted boxes fusion (Solovyev et al. 2019, arXiv:1910.13302): a label is the mean of the boxes that agree,
weighted by score and by how much each detector is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecnn.metrics.match import iou_matrix
from edgecnn.thresholds import NMS_IOU
from edgecnn.types import Detections, Float32

SAME_OBJECT_IOU = 0.5  # the usual threshold for a match, as in AP50


@dataclass(frozen=True, slots=True)
class Consensus:
    """When detectors agree: boxes of at least ``votes`` of them overlap by an IoU of ``iou``.

    Raises ``ValueError`` for votes below 1 or an IoU outside 0..1.
    """

    votes: int = 2
    iou: float = SAME_OBJECT_IOU

    def __post_init__(self) -> None:
        if self.votes < 1 or not 0 < self.iou < 1:
            raise ValueError(f"votes {self.votes} and iou {self.iou} are not votes >= 1 and 0 < iou < 1")


@dataclass(frozen=True, slots=True)
class Trust:
    """The scores from which a box of one detector is believed.

    Where one detector knows the class, ``threshold`` decides. Where several do, a box needs ``alone`` without support of another, and
    of boxes that agree one needs its ``threshold``. ``weight`` is that of its boxes in the mean.
    """

    threshold: float = 0.5
    alone: float = 0.8
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """Boxes of one class: xyxy (n, 4) float32 pixels, whether each is a label (n,), else it is uncertain, and how many agree (n,)."""

    xyxy: Float32
    sure: np.ndarray[tuple[int], np.dtype[np.bool_]]
    votes: np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(slots=True)
class _Group:
    """Boxes of one object, at most one of each detector: their numbers, corners, scores and weights."""

    members: list[int] = field(default_factory=list)
    boxes: list[Float32] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    mean: Float32 = field(default_factory=lambda: np.zeros(4, np.float32))

    def add(self, member: int, box: Float32, score: float, weight: float) -> None:
        self.members.append(member)
        self.boxes.append(box)
        self.scores.append(score)
        self.weights.append(score * weight)
        self.mean = np.average(np.stack(self.boxes), axis=0, weights=self.weights).astype(np.float32)


def combine(found: Sequence[Detections], trust: Sequence[Trust], consensus: Consensus) -> Combined:
    """The boxes of one class that several detectors found in one image as labels and uncertain boxes, the best first.

    ``found`` and ``trust`` have an entry for each detector that knows the class; one that found nothing counts, too.
    """
    groups = _groups(found, trust, consensus.iou)
    groups.sort(key=lambda group: (-len(group.members), -max(group.scores)))
    sure = [_is_sure(group, trust, min(consensus.votes, len(found))) for group in groups]
    labels, unsure = _each_once([group for group, yes in zip(groups, sure, strict=True) if yes], []), []
    unsure = _each_once([group for group, yes in zip(groups, sure, strict=True) if not yes], labels)
    chosen = [*labels, *unsure]
    return Combined(
        np.array([group.mean for group in chosen], np.float32).reshape(-1, 4),
        np.arange(len(chosen)) < len(labels),
        np.array([len(group.members) for group in chosen], np.int64),
    )


def _groups(found: Sequence[Detections], trust: Sequence[Trust], iou: float) -> list[_Group]:
    """Each box joins the group whose mean it overlaps most; the boxes with the highest weighted scores come first."""
    rows = [
        (float(score) * trust[member].weight, member, box, float(score))
        for member, boxes in enumerate(found)
        for box, score in _without_copies(boxes)
    ]
    groups: list[_Group] = []
    for _, member, box, score in sorted(rows, key=lambda row: -row[0]):
        open_to = [group for group in groups if member not in group.members]
        overlaps = iou_matrix(box[None], np.array([group.mean for group in open_to], np.float32).reshape(-1, 4))[0]
        best = int(overlaps.argmax()) if open_to else -1
        if best < 0 or overlaps[best] < iou:
            groups.append(_Group())
            open_to, best = groups, -1
        open_to[best].add(member, box, score, trust[member].weight)
    return groups


def _without_copies(boxes: Detections) -> list[tuple[Float32, np.float32]]:
    """Without second boxes of one object: classes that were given one name (car, truck: vehicle) may both have found it."""
    order = np.argsort(-boxes.score, kind="stable")
    overlaps = iou_matrix(boxes.xyxy, boxes.xyxy)
    kept: list[int] = []
    for index in order.tolist():
        if all(overlaps[index, other] < NMS_IOU for other in kept):
            kept.append(index)
    return [(boxes.xyxy[index], boxes.score[index]) for index in kept]


def _is_sure(group: _Group, trust: Sequence[Trust], votes: int) -> bool:
    scores = [(trust[member], score) for member, score in zip(group.members, group.scores, strict=True)]
    # scores are float32: 0.9 reaches a threshold of 0.9 only if that is one, too
    if len(group.members) >= votes:
        return any(score >= np.float32(own.threshold) for own, score in scores)
    return any(score >= np.float32(own.alone) for own, score in scores)


def _each_once(groups: Sequence[_Group], before: Sequence[_Group]) -> list[_Group]:
    """The groups whose mean is no second box of an object in ``before`` or earlier in ``groups``."""
    kept: list[_Group] = []
    for group in groups:
        others = np.array([other.mean for other in (*before, *kept)], np.float32).reshape(-1, 4)
        if iou_matrix(group.mean[None], others).max(initial=0) < NMS_IOU:
            kept.append(group)
    return kept
