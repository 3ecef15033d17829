"""Which cells learn which object: task-aligned assignment, TOOD, Feng et al. 2021, arXiv:2108.07755."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgecnn.train.boxes import overlap

TOP = 10
SCORE_POWER, IOU_POWER = 0.5, 6.0  # alpha and beta as YOLOv8 sets them; the paper has 1 and 6


@dataclass(frozen=True, slots=True, eq=False)
class Truths:
    """Objects of a batch, filled up to the same number: ``xyxy`` (B, M, 4) pixels, ``class_id`` (B, M), ``real`` and ``crowd`` (B, M) bool.

    ``real`` marks objects to be found; ``crowd`` regions in which nothing is learnt. ``labelled`` (B, C) bool, where it is given, are
    the classes that are labelled in an image: scores of the others are not learnt from it.
    """

    xyxy: Tensor
    class_id: Tensor
    real: Tensor
    crowd: Tensor
    labelled: Tensor | None = None

    def to(self, device: torch.device | str) -> Truths:
        """The same on a device."""
        xyxy, class_id, real, crowd = (part.to(device) for part in (self.xyxy, self.class_id, self.real, self.crowd))
        return Truths(xyxy, class_id, real, crowd, None if self.labelled is None else self.labelled.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """For each cell: the wanted ``score`` (B, N, C) and ``xyxy`` (B, N, 4), whether it is ``positive`` and ``counts`` (B, N)."""

    score: Tensor
    xyxy: Tensor
    positive: Tensor
    counts: Tensor


@torch.no_grad()
def assign(scores: Tensor, xyxy: Tensor, truths: Truths, centres: Tensor, strides: Tensor, reach: float) -> Assigned:
    """Give each object the ``TOP`` cells inside it that already see it best, by ``score ** alpha * IoU ** beta``.

    ``scores`` (B, N, C) and ``xyxy`` (B, N, 4) are the present predictions; ``reach`` is the largest distance, in strides, that a
    cell can express. A cell that several objects want goes to the one that it overlaps most. The wanted score is the alignment,
    scaled so that the best cell of an object wants its IoU.
    """
    allowed = _inside(truths, centres, strides, reach)
    iou = overlap(truths.xyxy[:, :, None], xyxy[:, None])[0].clamp(min=0) * allowed
    index = truths.class_id[:, :, None].expand(-1, -1, scores.shape[1])
    score = scores.transpose(1, 2).gather(1, index)
    align = (score**SCORE_POWER * iou**IOU_POWER) * allowed
    chosen = _top(align, iou, allowed)
    owner = _owner(chosen, iou)
    chosen = chosen & owner
    positive = chosen.any(1)
    which = chosen.float().argmax(1)
    boxes = truths.xyxy.gather(1, which[..., None].expand(-1, -1, 4))
    wanted = _wanted(align * chosen, iou * chosen, truths.class_id, scores.shape[2])
    return Assigned(wanted, boxes, positive, positive | ~_in_crowd(truths, centres))


def _inside(truths: Truths, centres: Tensor, strides: Tensor, reach: float) -> Tensor:
    """(B, M, N): the cell's centre lies in the object, and its sides are within reach; an object below 8 pixels gets its nearest cell."""
    middle = (truths.xyxy[..., :2] + truths.xyxy[..., 2:]) / 2
    half = ((truths.xyxy[..., 2:] - truths.xyxy[..., :2]) / 2).clamp(min=float(strides.min()) / 2)
    gap = centres[None, None] - middle[:, :, None]
    inside = (gap.abs() <= half[:, :, None]).all(-1)
    far = (gap.abs() + half[:, :, None]).amax(-1) / strides[None, None, :, 0]
    return inside & (far <= reach) & truths.real[..., None]


def _top(align: Tensor, iou: Tensor, allowed: Tensor) -> Tensor:
    """(B, M, N): the best cells of each object; where nothing is aligned yet, by IoU."""
    rank = align + iou * 1e-9 + allowed * 1e-12
    best = rank.topk(min(TOP, rank.shape[-1]), dim=-1).indices
    return torch.zeros_like(allowed).scatter_(-1, best, True) & allowed


def _owner(chosen: Tensor, iou: Tensor) -> Tensor:
    """(B, M, N): for each cell the one object, among those that chose it, that it overlaps most."""
    winner = torch.where(chosen, iou, iou.new_tensor(-1.0)).argmax(1, keepdim=True)
    return torch.zeros_like(chosen).scatter_(1, winner, True)


def _wanted(align: Tensor, iou: Tensor, class_id: Tensor, classes: int) -> Tensor:
    scale = iou.amax(-1, keepdim=True) / (align.amax(-1, keepdim=True) + 1e-12)
    share = align * scale
    best, which = share.max(1)
    wanted = share.new_zeros(*best.shape, classes)
    return wanted.scatter_(-1, class_id.gather(1, which)[..., None], best[..., None])


def _in_crowd(truths: Truths, centres: Tensor) -> Tensor:
    low, high = truths.xyxy[:, :, None, :2], truths.xyxy[:, :, None, 2:]
    inside = ((centres >= low) & (centres <= high)).all(-1)
    return (inside & truths.crowd[..., None]).any(1)
