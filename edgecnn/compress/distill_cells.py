"""Distills a detector from a larger one with the same output cells: scores and boxes of each cell.

After "Bridging cross-task protocol inconsistency for distillation in dense object detection", Yang et al. 2023, arXiv:2308.14286:
scores are independent binary outputs, not a distribution over classes, so each is distilled by binary cross-entropy, weighted by the
difference between student and teacher, which keeps the many background cells from dominating; boxes are distilled by IoU. Boxes are
weighted here by the teacher's score, which predicts their quality, and the loss is divided by the sum of those scores, as the loss of
the labels is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgecnn.errors import InputError
from edgecnn.train.boxes import cells, overlap, to_xyxy
from edgecnn.train.distributed import global_divisor

BOX_WEIGHT = 4.0  # as in the loss of the labels


def cells_loss(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
    """Loss between distances (B, N, 4) and logits (B, N, C) and a teacher's distances and scores, for an input of ``size``.

    Raises ``InputError`` for a teacher with other cells.
    """
    (distances, logits), (teacher_distances, teacher_scores) = student, teacher
    if distances.shape != teacher_distances.shape or logits.shape != teacher_scores.shape:
        raise InputError(
            f"--teacher: it has {tuple(teacher_scores.shape[1:])} cells x classes, but the student {tuple(logits.shape[1:])}",
            "name a teacher of the same family, or an exported file as the teacher",
        )
    centres, strides = cells(size, logits.device)
    with torch.autocast(logits.device.type, enabled=False):
        total = global_divisor(teacher_scores.sum(), 1.0)
        difference = (teacher_scores - logits.detach().float().sigmoid()).abs()
        scores = F.binary_cross_entropy_with_logits(logits.float(), teacher_scores, reduction="none") * difference
        boxes, teacher_boxes = (to_xyxy(part.float(), centres, strides) for part in (distances, teacher_distances))
        missed = (1 - overlap(boxes, teacher_boxes)[1]) * teacher_scores.amax(-1)
        return (scores.sum() + BOX_WEIGHT * missed.sum()) / total
