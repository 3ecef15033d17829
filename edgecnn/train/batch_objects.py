"""The objects of a batch of images as tensors: joined, clipped, moved and covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecnn.data import Boxes
from edgecnn.data.moved_boxes import VISIBLE
from edgecnn.train.assign import collate
from edgecnn.train.device_geometry import CanvasMotion

COVERED = 0.4  # fraction of its area: an object that others cover more than this becomes a crowd box
HIDDEN = 0.9  # and one that is covered more than this is no longer there
STRIP = 1.0  # pixels of an object that may show beside the one in front of it, and do not count as a side of it


@dataclass(frozen=True, slots=True, eq=False)
class BatchObjects:
    """Objects (B, n): ``xyxy`` (B, n, 4), ``class_id``, ``there`` and ``crowd`` bool."""

    xyxy: Tensor
    class_id: Tensor
    there: Tensor
    crowd: Tensor

    @classmethod
    def of(cls, boxes: Sequence[Boxes], device: torch.device | str = "cpu") -> BatchObjects:
        """The boxes of images, padded to the largest number of boxes."""
        truth = collate(boxes).to(device)
        return cls(truth.xyxy, truth.class_id, truth.real | truth.crowd, truth.crowd)

    def boxes(self, row: int) -> Boxes:
        """The objects of one image."""
        xyxy, class_id, there, crowd = (getattr(self, name)[row].numpy() for name in ("xyxy", "class_id", "there", "crowd"))
        return Boxes(xyxy[there], class_id[there], None, crowd[there])

    def joined(self, other: BatchObjects) -> BatchObjects:
        """The objects of both."""
        return BatchObjects(
            *(torch.cat([getattr(self, name), getattr(other, name)], 1) for name in ("xyxy", "class_id", "there", "crowd"))
        )

    def first(self, most: int) -> BatchObjects:
        """At most ``most`` objects of each image: those that are there, larger ones first."""
        if self.there.shape[1] <= most:
            return self
        area = (self.xyxy[..., 2:] - self.xyxy[..., :2]).prod(-1)
        order = torch.where(self.there, area, -1.0).topk(most, 1).indices
        xyxy = self.xyxy.gather(1, order[..., None].expand(-1, -1, 4))
        return BatchObjects(xyxy, *(part.gather(1, order) for part in (self.class_id, self.there, self.crowd)))

    def clipped(self, low: Tensor, high: Tensor, least: float = VISIBLE) -> BatchObjects:
        """The objects within a region, whose corners are broadcast with ``xyxy``.

        One of which less than the fraction ``least`` is inside becomes a crowd.
        """
        xyxy, share = clip(self.xyxy, low, high)
        return BatchObjects(xyxy, self.class_id, self.there & (share > 0), self.crowd | (share < least))

    def covered(self, fronts: Tensor, on: Tensor) -> BatchObjects:
        """The objects behind opaque rectangles ``fronts`` (B, K, 4), of which those are there that are ``on`` (B, K).

        Boxes shrink to the part that shows. What may be hidden to more than ``COVERED`` becomes a crowd; what is hidden for certain to
        more than ``HIDDEN`` is gone. Where fronts overlap, the sum of what they hide is more than that, and the largest is less.
        """
        xyxy, area = self.xyxy, _area(self.xyxy).clamp(min=1e-3)
        most, least = torch.zeros_like(area), torch.zeros_like(area)
        for number in range(fronts.shape[1]):
            front, there = fronts[:, number, None], on[:, number, None]
            inside = clip(xyxy, front[..., :2].repeat(1, 1, 2), front[..., 2:].repeat(1, 1, 2))[0]
            hidden = _area(inside) / area * there
            most, least = most + hidden, torch.maximum(least, hidden)
            xyxy = torch.where(there[..., None], _beside(xyxy, front), xyxy)
        least = torch.maximum(least, 1 - _area(xyxy) / area)
        return BatchObjects(xyxy, self.class_id, self.there & (least <= HIDDEN), self.crowd | (most > COVERED))


def _area(xyxy: Tensor) -> Tensor:
    return (xyxy[..., 2:] - xyxy[..., :2]).clamp(min=0).prod(-1)


def clip(xyxy: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes clipped to a region, and the share of their area that is left."""
    full = (xyxy[..., 2:] - xyxy[..., :2]).clamp(min=1e-3).prod(-1)
    clipped = torch.minimum(torch.maximum(xyxy, low), high)
    return clipped, _area(clipped) / full


def _beside(xyxy: Tensor, front: Tensor) -> Tensor:
    """The boxes around what shows of boxes (B, n, 4) behind a rectangle (B, 1, 4): smaller where it covers a whole side."""
    low, high, near, far = xyxy[..., :2], xyxy[..., 2:], front[..., :2], front[..., 2:]
    starts, ends = near <= low + STRIP, far >= high - STRIP
    across = (starts & ends).flip(-1)  # over the whole height, for x, and over the whole width, for y
    first = torch.where(across & starts, torch.minimum(torch.maximum(far, low), high), low)
    last = torch.where(across & ends, torch.maximum(torch.minimum(near, high), first), high)
    return torch.cat([first, last], -1)


def around_ellipses(xyxy: Tensor, canvas: CanvasMotion) -> Tensor:
    """Boxes (B, n, 4) around the transformed inscribed ellipses of boxes: arXiv:2109.13488."""
    middle, half = (xyxy[..., :2] + xyxy[..., 2:]) / 2, (xyxy[..., 2:] - xyxy[..., :2]) / 2
    middle = canvas.move(middle)
    # the half axes of the ellipse, moved: the box's half sides are the lengths of the rows
    spread = (half[..., None, :] * canvas.matrix[:, None, :2, :2]).square().sum(-1).sqrt()
    return torch.cat([middle - spread, middle + spread], -1)


class LabelGroups:
    """Images in which the same classes are labelled, by ``labelled`` (n, C); only those of ``kept`` (n,) are drawn."""

    def __init__(self, labelled: NDArray[np.bool_], kept: NDArray[np.bool_], device: torch.device | str = "cpu") -> None:
        group = np.unique(labelled, axis=0, return_inverse=True)[1].ravel()
        members = np.argsort(group, kind="stable")
        members = members[kept[members]]  # one group after the other
        counts = np.bincount(group[kept], minlength=int(group.max(initial=0)) + 1)
        parts = (group, np.append(members, 0), counts, np.cumsum(counts) - counts)
        self._group, self._members, self._counts, self._starts = (torch.from_numpy(part).to(device) for part in parts)

    def some(self, indices: Tensor) -> Tensor:
        """(B,) bool: whether there is an image to draw."""
        return self._counts[self._group[indices]] > 0

    def draw(self, indices: Tensor, numbers: Tensor) -> Tensor:
        """(B, k) images for ``indices`` (B,), by uniform ``numbers`` (B, k) of 0..1; any image where there is none."""
        group = self._group[indices]
        several = self._counts[group][:, None]
        place = torch.minimum((numbers * several).long(), several - 1).clamp(min=0)
        return self._members[self._starts[group][:, None] + place]
