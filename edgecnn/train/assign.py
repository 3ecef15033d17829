"""Assigns ground-truth objects to output cells: task-aligned assignment of TOOD, Feng et al. 2021, arXiv:2108.07755."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from edgecnn.data import Boxes
from edgecnn.models.edgedet import STRIDES
from edgecnn.train.boxes import overlap

TOP_K = 10  # cells of an object
ALPHA, BETA = 0.5, 6.0  # as in YOLOv8; the paper has 1 and 6


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Objects of a batch, padded to the same number: ``xyxy`` (B, M, 4) pixels, ``class_id`` (B, M), ``real`` and ``crowd`` (B, M) bool.

    ``real`` marks objects to detect, in contrast to padding; ``crowd`` regions in which the loss ignores the class. ``labelled`` (B, C)
    bool, where given, are the classes that are labelled in an image: the loss ignores scores of the others.
    """

    xyxy: Tensor
    class_id: Tensor
    real: Tensor
    crowd: Tensor
    labelled: Tensor | None = None

    def to(self, device: torch.device | str) -> GroundTruth:
        """A copy on a device."""
        xyxy, class_id, real, crowd = (part.to(device) for part in (self.xyxy, self.class_id, self.real, self.crowd))
        return GroundTruth(xyxy, class_id, real, crowd, None if self.labelled is None else self.labelled.to(device))


def collate(boxes: Sequence[Boxes], labelled: NDArray[np.bool_] | None = None) -> GroundTruth:
    """The boxes of a batch, padded to the largest number of boxes, at least 1; ``labelled`` (B, C) as in ``GroundTruth``."""
    most = max(1, *(len(item) for item in boxes)) if boxes else 1
    xyxy = np.zeros((len(boxes), most, 4), np.float32)
    class_id = np.zeros((len(boxes), most), np.int64)
    real, crowd = np.zeros((len(boxes), most), bool), np.zeros((len(boxes), most), bool)
    for row, item in enumerate(boxes):
        count = len(item)
        xyxy[row, :count], class_id[row, :count] = item.xyxy, item.class_id
        crowd[row, :count] = False if item.crowd is None else item.crowd
        real[row, :count] = ~crowd[row, :count]
    known = None if labelled is None else torch.from_numpy(labelled)
    return GroundTruth(torch.from_numpy(xyxy), torch.from_numpy(class_id), torch.from_numpy(real), torch.from_numpy(crowd), known)


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """For each cell: target ``score`` (B, N, C) and ``xyxy`` (B, N, 4), whether it is ``positive`` (B, N), and for which classes it
    ``counts`` (B, N, C).
    """

    score: Tensor
    xyxy: Tensor
    positive: Tensor
    counts: Tensor


@torch.no_grad()
def assign(scores: Tensor, xyxy: Tensor, truths: GroundTruth, centres: Tensor, strides: Tensor, reach: float) -> Assignment:
    """Assign to each object the ``TOP_K`` cells inside it with the best alignment, ``score ** ALPHA * IoU ** BETA``.

    ``scores`` (B, N, C) and ``xyxy`` (B, N, 4) are the current predictions; ``reach`` is the largest distance, in strides, that a cell
    can express. A cell that several objects claim goes to the one with the largest IoU. The target score is the alignment, scaled so
    that the best cell of an object has its IoU as the target.
    """
    allowed = _inside(truths, centres, strides, reach)
    iou = overlap(truths.xyxy[:, :, None], xyxy[:, None])[0].clamp(min=0) * allowed
    index = truths.class_id[:, :, None].expand(-1, -1, scores.shape[1])
    score = scores.transpose(1, 2).gather(1, index)
    align = (score**ALPHA * iou**BETA) * allowed
    chosen = _top(align, iou, allowed)
    owner = _owner(chosen, iou)
    chosen = chosen & owner
    positive = chosen.any(1)
    which = chosen.float().argmax(1)
    # cells without an object get object 0: the loss uses boxes of positive cells only
    boxes = truths.xyxy.gather(1, which[..., None].expand(-1, -1, 4))
    target = _target_scores(align * chosen, iou * chosen, truths.class_id, scores.shape[2])
    return Assignment(target, boxes, positive, (target > 0) | ~_in_crowd(truths, centres, scores.shape[2]))


def _inside(truths: GroundTruth, centres: Tensor, strides: Tensor, reach: float) -> Tensor:
    """(B, M, N): the cell's centre lies in the object, and the object's sides are within reach.

    Objects are widened to at least the smallest stride: one that lies between four centres would otherwise have no cell.
    """
    middle = (truths.xyxy[..., :2] + truths.xyxy[..., 2:]) / 2
    half = ((truths.xyxy[..., 2:] - truths.xyxy[..., :2]) / 2).clamp(min=STRIDES[0] / 2)
    gap = centres[None, None] - middle[:, :, None]
    inside = (gap.abs() <= half[:, :, None]).all(-1)
    far = (gap.abs() + half[:, :, None]).amax(-1) / strides[None, None, :, 0]
    return inside & (far <= reach) & truths.real[..., None]


def _top(align: Tensor, iou: Tensor, allowed: Tensor) -> Tensor:
    """(B, M, N): the best cells of each object."""
    # Early in training alignments underflow to 0: ties are broken by IoU, then by being allowed at all.
    rank = align + iou * 1e-9 + allowed * 1e-12
    best = rank.topk(min(TOP_K, rank.shape[-1]), dim=-1).indices
    return torch.zeros_like(allowed).scatter_(-1, best, True) & allowed


def _owner(chosen: Tensor, iou: Tensor) -> Tensor:
    """(B, M, N): for each cell the one object, among those that claim it, with the largest IoU."""
    # -1 is below every IoU: an object that does not claim the cell never wins against one that does with IoU 0
    winner = torch.where(chosen, iou, -1.0).argmax(1, keepdim=True)
    return torch.zeros_like(chosen).scatter_(1, winner, True)


def _target_scores(align: Tensor, iou: Tensor, class_id: Tensor, classes: int) -> Tensor:
    """(B, N, classes): alignments scaled to the best IoU of their object, in the column of its class."""
    scale = iou.amax(-1, keepdim=True) / (align.amax(-1, keepdim=True) + 1e-12)  # an object without cells has alignment 0
    scaled = align * scale
    best, which = scaled.max(1)
    target = scaled.new_zeros(*best.shape, classes)
    return target.scatter_(-1, class_id.gather(1, which)[..., None], best[..., None])


def _in_crowd(truths: GroundTruth, centres: Tensor, classes: int) -> Tensor:
    """(B, N, classes): whether the cell's centre lies in a crowd of the class."""
    low, high = truths.xyxy[:, :, None, :2], truths.xyxy[:, :, None, 2:]
    inside = ((centres >= low) & (centres <= high)).all(-1)
    own = F.one_hot(truths.class_id, classes) * truths.crowd[..., None]
    return inside.transpose(1, 2).float() @ own.float() > 0
