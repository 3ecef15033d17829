"""Box operations on tensors: cells of the output maps, boxes from distances, IoU and GIoU."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from edgecnn.models.edgedet import STRIDES

CPU = torch.device("cpu")


@lru_cache(maxsize=8)
def cells(size: tuple[int, int], device: torch.device = CPU) -> tuple[Tensor, Tensor]:
    """Centres (N, 2) in pixels and strides (N, 1) of the cells for an input (height, width), in the order of the model's outputs.

    Kept on ``device``: copying them for each batch would wait for it.
    """
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = (torch.arange(length // stride) for length in size)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        centre = (torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride
        centres.append(centre)
        strides.append(torch.full((len(centre), 1), float(stride)))
    return torch.cat(centres).to(device), torch.cat(strides).to(device)


def to_xyxy(distances: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Boxes (..., N, 4) in pixels from distances (..., N, 4) to the four sides, in strides."""
    sides = distances * strides
    return torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], -1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (arXiv:1902.09630) of boxes (..., 4), broadcast against each other."""
    width_height = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0)
    inner, outer = width_height.prod(-1), around.prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inner
    iou = inner / (union + 1e-7)  # two empty boxes have no union
    return iou, iou - (outer - union) / (outer + 1e-7)
