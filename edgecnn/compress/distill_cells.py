"""What a detector learns from a larger one with the same cells: its scores and its boxes, cell by cell, where they matter.

After "Bridging cross-task protocol inconsistency for distillation in dense object detection", Yang et al. 2023, arXiv:2308.14286:
scores are single yes-or-no answers, not shares of a whole, so each is learnt by binary cross-entropy, weighted by how far student and
teacher are apart, which keeps the many cells of background from drowning the rest; boxes are learnt by overlap. Boxes are weighted
here by the teacher's own score, which promises their quality, and all is divided by the sum of its scores, as the loss of labels is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgecnn.errors import InputError
from edgecnn.train.boxes import cells, overlap, to_xyxy
from edgecnn.train.distributed import whole

BOX_WEIGHT = 4.0


def cells_loss(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
    """Loss of distances (B, N, 4) and logits (B, N, C) towards a teacher's distances and scores, for an input of ``size``.

    Raises ``InputError`` for a teacher with other cells.
    """
    (distances, logits), (wanted_distances, wanted) = student, teacher
    if distances.shape != wanted_distances.shape or logits.shape != wanted.shape:
        wanted_shape, found = f"{tuple(logits.shape[1:])} cells x classes", f"{tuple(wanted.shape[1:])}"
        raise InputError(
            f"a teacher with {wanted_shape}", found, "name one of the same family, or an exported file as the teacher"
        )
    centres, strides = (part.to(logits.device) for part in cells(size))
    with torch.autocast(logits.device.type, enabled=False):
        total = whole(wanted.sum(), 1.0)
        apart = (wanted - logits.detach().float().sigmoid()).abs()
        scores = F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none") * apart
        boxes, wanted_boxes = (to_xyxy(part.float(), centres, strides) for part in (distances, wanted_distances))
        missed = (1 - overlap(boxes, wanted_boxes)[1]) * wanted.amax(-1)
        return (scores.sum() + BOX_WEIGHT * missed.sum()) / total
