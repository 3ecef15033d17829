"""Copy-paste augmentation: crops of labelled objects of other images, pasted with blended edges.

Dwibedi et al. 2017, arXiv:1708.01642, and Ghiasi et al. 2021, arXiv:2012.07177, here for objects with boxes only. A crop is a box
and a margin around it, in which it fades out. All that is labelled in a crop comes with it: neighbours that are mostly in it with
their boxes, others as crowd boxes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from edgecnn.train.augment_policy import AugmentPolicy
from edgecnn.train.batch_objects import BatchObjects, LabelGroups
from edgecnn.train.device_geometry import sides
from edgecnn.train.in_memory import InMemoryImages

CROPS = 3  # at most, on one image
CROP_SCALE = (0.5, 1.5)  # of the size that an object has in its own image
SMALLEST = 6.0  # pixels of the shorter side of an object
LARGEST = 0.5  # of a side of the image
MARGIN = 0.1  # of a side of the box
LEAST_MARGIN = 2.0  # pixels
WHOLE = 0.7  # fraction of its area: an object of which less is in a crop becomes a crowd box, since the pasted one hides it, too
DRAWS = 6 * CROPS + 2  # random numbers for an image


@dataclass(frozen=True, slots=True, eq=False)
class PastedCrops:
    """Crops on a batch of canvases, ``CROPS`` for each; a later one covers the ones before.

    ``index`` (B, K) int64 are the images that they come from; canvas = image * ``scale`` + ``offset``, both (B, K, 2), with a negative
    scale where mirrored. ``box`` (B, K, 4) is the object, ``whole`` (B, K, 4) the crop with its margin, both on the canvas. ``on``
    (B, K) bool: whether the crop is pasted at all.
    """

    index: Tensor
    scale: Tensor
    offset: Tensor
    box: Tensor
    whole: Tensor
    on: Tensor

    def opaque(self) -> Tensor:
        """(B, K, 4): where a crop shows more of itself than of what is behind it."""
        return (self.box + self.whole) / 2


class CopyPaste:
    """Draws crops by a policy's ``copy_paste`` and ``flip``, and knows which objects are there once they are pasted.

    ``objects`` (n, m) are those of the training images, ``content`` (n, 4) the part of each image that is
    not a bar of its letterbox, ``labelled`` (n, C) as in ``InMemoryImages``: crops come from images in which the same classes are labelled.
    """

    def __init__(self, objects: BatchObjects, content: Tensor, images: InMemoryImages, policy: AugmentPolicy) -> None:
        self._objects, self._content, self._policy = objects, content, policy
        height, width = images.images.shape[1:3]
        self._source = (int(height), int(width))
        fit = _fit_for_pasting(objects, content)
        self._order = (~fit).int().sort(stable=True, dim=1).indices  # those that are fit come first
        self._counts = fit.sum(1)
        self._groups = LabelGroups(images.labelled, (self._counts > 0).cpu().numpy(), content.device)

    def crops(self, indices: Tensor, region: Tensor, size: tuple[int, int], numbers: Tensor) -> PastedCrops:
        """Crops for the images ``indices`` (B,) on canvases of ``size`` (height, width).

        Objects are placed within ``region`` (B, 4), by uniform random ``numbers`` (B, DRAWS) of 0..1.
        """
        image, which, factor, mirror, across, down = numbers[:, 2:].view(len(indices), 6, CROPS).unbind(1)
        image = self._groups.draw(indices, image)
        several = self._counts[image]
        place = torch.minimum((which * several).long(), several - 1).clamp(min=0)
        which = self._order[image].gather(2, place[..., None])
        box = self._objects.xyxy[image].gather(2, which[..., None].expand(-1, -1, -1, 4))[:, :, 0]
        base = sides(size, box.device) / sides(self._source, box.device)
        own = (box[..., 2:] - box[..., :2]) * base
        room = (region[:, 2:] - region[:, :2])[:, None]
        low, high = (math.log(end) for end in CROP_SCALE)
        factor = (factor * (high - low) + low).exp()
        factor = torch.minimum(factor, (LARGEST * room / own.clamp(min=1e-3)).amin(-1))[..., None]
        mirrored = mirror < self._policy.flip
        scale = factor * base * torch.stack([1 - 2.0 * mirrored, torch.ones_like(mirror)], -1)
        corner = region[:, None, :2] + torch.stack([across, down], -1) * (room - factor * own)
        first = torch.stack([torch.where(mirrored, box[..., 2], box[..., 0]), box[..., 1]], -1)
        offset = corner - scale * first
        number = (numbers[:, 1:2] * CROPS).long()
        on = self.some(numbers)[:, None] & (torch.arange(CROPS, device=box.device) <= number)
        on = on & self._groups.some(indices)[:, None] & ((factor * own).amin(-1) >= SMALLEST)
        whole = _with_margin(box, self._content[image])
        return PastedCrops(image, scale, offset, _placed(box, scale, offset), _placed(whole, scale, offset), on)

    def some(self, numbers: Tensor) -> Tensor:
        """(B,) bool: whether random ``numbers`` (B, DRAWS) mean that something is pasted."""
        return numbers[:, 0] < self._policy.copy_paste

    def objects(self, before: BatchObjects, crops: PastedCrops, size: tuple[int, int]) -> BatchObjects:
        """The objects ``before`` (B, n) on canvases of ``size``, as far as crops leave them visible, and those of the crops."""
        canvas = sides(size, before.xyxy.device).repeat(2)
        opaque = torch.minimum(crops.opaque().clamp(min=0), canvas)
        found = before.covered(opaque, crops.on)
        for number in range(CROPS):
            image, scale, offset = (part[:, number] for part in (crops.index, crops.scale, crops.offset))
            xyxy = _placed(self._objects.xyxy[image], scale[:, None], offset[:, None])
            there = self._objects.there[image] & crops.on[:, number, None]
            brought = BatchObjects(xyxy, self._objects.class_id[image], there, self._objects.crowd[image])
            low, high = (corner.repeat(1, 2)[:, None] for corner in (opaque[:, number, :2], opaque[:, number, 2:]))
            later = number + 1
            found = found.joined(brought.clipped(low, high, WHOLE).covered(opaque[:, later:], crops.on[:, later:]))
        return found


def _fit_for_pasting(objects: BatchObjects, content: Tensor) -> Tensor:
    """(n, m) bool: objects that are no crowd, not too small, and not cut off by the border of their image."""
    xyxy, side = objects.xyxy, objects.xyxy[..., 2:] - objects.xyxy[..., :2]
    inside = (xyxy[..., :2] >= content[:, None, :2] + 1) & (xyxy[..., 2:] <= content[:, None, 2:] - 1)
    return objects.there & ~objects.crowd & inside.all(-1) & (side.amin(-1) >= SMALLEST)


def _with_margin(box: Tensor, content: Tensor) -> Tensor:
    """Boxes with their margins, which end at the border of the image."""
    low, high = box[..., :2], box[..., 2:]
    margin = ((high - low) * MARGIN).clamp(min=LEAST_MARGIN)
    return torch.cat([torch.maximum(low - margin, content[..., :2]), torch.minimum(high + margin, content[..., 2:])], -1)


def _placed(xyxy: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Boxes of an image on the canvas."""
    one, other = xyxy[..., :2] * scale + offset, xyxy[..., 2:] * scale + offset
    return torch.cat([torch.minimum(one, other), torch.maximum(one, other)], -1)
