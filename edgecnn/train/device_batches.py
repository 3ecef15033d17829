"""Batches on the training device for each task that has them: images and their ground truth, moved together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgecnn.card import ModelCard
from edgecnn.data.moved_boxes import VISIBLE
from edgecnn.errors import InputError
from edgecnn.train.assign import GroundTruth
from edgecnn.train.augment_policy import AugmentPolicy
from edgecnn.train.classify import MIXUP_ALPHA, NO_MIXUP
from edgecnn.train.config import TrainConfig
from edgecnn.train.detect import FLIPS_ONLY, collate
from edgecnn.train.device_color import ColorAugment
from edgecnn.train.device_geometry import BatchLayout, CanvasMotion, Cells, Sampler, draw_canvas
from edgecnn.train.distributed import ProcessGroup
from edgecnn.train.hardware import Hardware
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import training_size
from edgecnn.train.on_device import DeviceBatches, DeviceImages
from edgecnn.train.pose import PoseTruth, device_targets, mirror_order
from edgecnn.types import NO_CLASS

MIXUP_DRAWS = 4096  # weights drawn in advance: drawing from a beta distribution waits for the device
MAX_OBJECTS = 128  # of a mosaic; the smallest ones beyond are left out


class _Base:
    def __init__(self, images: InMemoryImages, card: ModelCard, config: TrainConfig, device: str) -> None:
        self.images = DeviceImages.place(images, card.preprocess, device)
        self.card, self.config = card, config
        self.policy = config.policy(card.task)
        self._colors: dict[AugmentPolicy, ColorAugment] = {}

    def _color(self, policy: AugmentPolicy) -> ColorAugment:
        if policy not in self._colors:
            self._colors[policy] = ColorAugment(policy, self.card.preprocess.color, self.images.device)
        return self._colors[policy]

    def _size(self, epoch: int) -> tuple[int, int]:
        return training_size(self.card.preprocess.size, epoch, self.config)

    def _one(self, indices: Tensor, size: tuple[int, int], policy: AugmentPolicy) -> BatchLayout:
        return self.images.whole(indices, draw_canvas(policy, len(indices), size, self.images.device))


class ClassificationBatches(_Base):
    """Images with one label each, as in ``ClassificationObjective``."""

    def __init__(self, images: InMemoryImages, card: ModelCard, config: TrainConfig, device: str) -> None:
        super().__init__(images, card, config, device)
        self._labels = torch.from_numpy(images.labels).to(device)
        weights = np.random.default_rng(config.seed).beta(MIXUP_ALPHA, MIXUP_ALPHA, MIXUP_DRAWS)
        self._weights = torch.from_numpy(weights.astype(np.float32)).to(device)

    def variant(self, epoch: int) -> Hashable:
        """Whether images are mixed."""
        return bool(self.policy.mixup) and epoch < self.config.epochs * (1 - NO_MIXUP)

    def batch(self, indices: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Images, and labels (B,) or, where images are mixed, class probabilities (B, classes)."""
        size = self.card.preprocess.size
        inputs = self.images.sample(self._one(indices, size, self.policy), size, self._color(self.policy))
        labels = self._labels[indices]
        if not self.variant(epoch):
            return inputs, labels
        place = (torch.rand(1, device=inputs.device) * MIXUP_DRAWS).long().clamp(max=MIXUP_DRAWS - 1)
        mixed = torch.rand(1, device=inputs.device) < self.policy.mixup
        weight = torch.where(mixed, self._weights[place], 1.0)
        truth = F.one_hot(labels, len(self.card.labels)).float()
        mean = weight[:, None] * truth + (1 - weight[:, None]) * truth.roll(1, 0)
        return weight[:, None, None, None] * inputs + (1 - weight[:, None, None, None]) * inputs.roll(1, 0), mean


@dataclass(frozen=True, slots=True, eq=False)
class _Objects:
    """Objects (B, n): ``xyxy`` (B, n, 4), ``class_id``, ``there`` and ``crowd`` bool."""

    xyxy: Tensor
    class_id: Tensor
    there: Tensor
    crowd: Tensor

    def joined(self, other: _Objects) -> _Objects:
        """The objects of both."""
        return _Objects(
            *(torch.cat([getattr(self, name), getattr(other, name)], 1) for name in ("xyxy", "class_id", "there", "crowd"))
        )

    def first(self, most: int) -> _Objects:
        """At most ``most`` objects of each image: those that are there, larger ones first."""
        if self.there.shape[1] <= most:
            return self
        area = (self.xyxy[..., 2:] - self.xyxy[..., :2]).prod(-1)
        order = torch.where(self.there, area, -1.0).topk(most, 1).indices
        xyxy = self.xyxy.gather(1, order[..., None].expand(-1, -1, 4))
        return _Objects(xyxy, *(part.gather(1, order) for part in (self.class_id, self.there, self.crowd)))


class DetectionBatches(_Base):
    """Images with boxes, as in ``DetectionObjective``."""

    def __init__(self, images: InMemoryImages, card: ModelCard, config: TrainConfig, device: str) -> None:
        super().__init__(images, card, config, device)
        truth = collate(list(images.boxes)).to(device)
        self._objects = _Objects(truth.xyxy, truth.class_id, truth.real | truth.crowd, truth.crowd)
        self._labelled = torch.from_numpy(images.labelled).to(device)
        self._content = self.images.content()
        # images in which the same classes are labelled, one group after the other
        _, group = np.unique(images.labelled, axis=0, return_inverse=True)
        counts = np.bincount(group.ravel())
        place = [torch.from_numpy(part).to(device) for part in (np.argsort(group.ravel(), kind="stable"), group.ravel())]
        self._members, self._group = place
        self._counts = torch.from_numpy(counts).to(device)
        self._starts = torch.from_numpy(np.cumsum(counts) - counts).to(device)

    def variant(self, epoch: int) -> Hashable:
        """Size of the input, and whether only flips are left."""
        return self._size(epoch), epoch >= self.config.epochs * (1 - FLIPS_ONLY)

    def batch(self, indices: Tensor, epoch: int) -> tuple[Tensor, GroundTruth]:
        """Images of this epoch's size, and their objects."""
        size, last = self._size(epoch), epoch >= self.config.epochs * (1 - FLIPS_ONLY)
        policy = self.policy.flips_only() if last else self.policy
        layout = self._layout(indices, size, policy)
        inputs, found = self.images.sample(layout, size, self._color(policy)), self._moved(layout)
        if policy.mixup:
            other = self._one(self._partners(indices, 1)[:, 0], size, policy)
            mixed = torch.rand(len(indices), device=inputs.device) < policy.mixup
            half = torch.where(mixed, 0.5, 1.0)[:, None, None, None]
            inputs = half * inputs + (1 - half) * self.images.sample(other, size, self._color(policy))
            more = self._moved(other)
            found = found.joined(_Objects(more.xyxy, more.class_id, more.there & mixed[:, None], more.crowd & mixed[:, None]))
        found = found.first(max(MAX_OBJECTS, self._objects.there.shape[1]))
        real = found.there & ~found.crowd
        return inputs, GroundTruth(found.xyxy, found.class_id, real, found.crowd & found.there, self._labelled[indices])

    def _layout(self, indices: Tensor, size: tuple[int, int], policy: AugmentPolicy) -> BatchLayout:
        if not policy.mosaic:
            return self._one(indices, size, policy)
        canvas = draw_canvas(policy, len(indices), size, self.images.device)
        four = torch.cat([indices[:, None], self._partners(indices, 3)], 1)
        return BatchLayout(canvas, Cells.mosaic(four, self._content, policy.mosaic, size, self.images.size))

    def _partners(self, indices: Tensor, count: int) -> Tensor:
        """(B, count) images in which the same classes are labelled."""
        group = self._group[indices]
        several = self._counts[group]
        place = (torch.rand(len(indices), count, device=indices.device) * several[:, None]).long()
        return self._members[self._starts[group][:, None] + torch.minimum(place, several[:, None] - 1)]

    def _moved(self, layout: BatchLayout) -> _Objects:
        """The objects of a layout's images in the output; an object that is mostly cut off becomes a crowd."""
        cells, canvas = layout.cells, layout.canvas
        xyxy = self._objects.xyxy[cells.index] * cells.scale.repeat(1, 1, 2)[:, :, None]
        xyxy = xyxy + cells.offset.repeat(1, 1, 2)[:, :, None]
        low, high = cells.corner.repeat(1, 1, 2)[:, :, None], (cells.corner + cells.extent).repeat(1, 1, 2)[:, :, None]
        xyxy, share = _clip(xyxy, low, high)
        there = self._objects.there[cells.index] & (share > 0)
        crowd = self._objects.crowd[cells.index] | (share < VISIBLE)
        flat = _Objects(xyxy.flatten(1, 2), self._objects.class_id[cells.index].flatten(1), there.flatten(1), crowd.flatten(1))
        moved = _around_ellipses(flat.xyxy, canvas)
        low = torch.zeros_like(moved)
        high = torch.full_like(moved, float(canvas.size[0]))
        high[..., 0::2] = float(canvas.size[1])
        moved, share = _clip(moved, low, high)
        return _Objects(moved, flat.class_id, flat.there & (share > 0), flat.crowd | (share < VISIBLE))


def _clip(xyxy: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes clipped to a region, and the share of their area that is left."""
    full = (xyxy[..., 2:] - xyxy[..., :2]).clamp(min=1e-3).prod(-1)
    clipped = torch.minimum(torch.maximum(xyxy, low), high)
    return clipped, (clipped[..., 2:] - clipped[..., :2]).clamp(min=0).prod(-1) / full


def _around_ellipses(xyxy: Tensor, canvas: CanvasMotion) -> Tensor:
    """Boxes (B, n, 4) around the transformed inscribed ellipses of boxes: arXiv:2109.13488."""
    middle, half = (xyxy[..., :2] + xyxy[..., 2:]) / 2, (xyxy[..., 2:] - xyxy[..., :2]) / 2
    middle = canvas.move(middle)
    # the half axes of the ellipse, moved: the box's half sides are the lengths of the rows
    spread = (half[..., None, :] * canvas.matrix[:, None, :2, :2]).square().sum(-1).sqrt()
    return torch.cat([middle - spread, middle + spread], -1)


class SegmentationBatches(_Base):
    """Images with masks, as in ``SegmentationObjective``."""

    def __init__(self, images: InMemoryImages, card: ModelCard, config: TrainConfig, device: str) -> None:
        super().__init__(images, card, config, device)
        self._masks = torch.from_numpy(np.stack(images.masks)).to(device)

    def variant(self, epoch: int) -> Hashable:
        """Size of the input."""
        return self._size(epoch)

    def batch(self, indices: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Images of this epoch's size, and the class of each pixel (B, H, W) int64."""
        size = self._size(epoch)
        layout = self._one(indices, size, self.policy)
        masks = Sampler(size, self.images.size).nearest(self._masks, layout, NO_CLASS)
        return self.images.sample(layout, size, self._color(self.policy)), masks.long()


class PoseBatches(_Base):
    """Images with key points, as in ``PoseObjective``."""

    def __init__(self, images: InMemoryImages, card: ModelCard, config: TrainConfig, device: str) -> None:
        super().__init__(images, card, config, device)
        most = max(1, *(len(points) for points in images.points))
        points = np.zeros((len(images), most, len(card.labels), 3), np.float32)
        crowd = np.zeros((len(images), most), np.bool_)
        for row, (own, boxes) in enumerate(zip(images.points, images.boxes, strict=True)):
            points[row, : len(own)] = own
            crowd[row, : len(own)] = False if boxes.crowd is None else boxes.crowd
        self._points, self._crowd = torch.from_numpy(points).to(device), torch.from_numpy(crowd).to(device)
        self._mirror = torch.tensor(mirror_order(card.labels), device=device)

    def variant(self, epoch: int) -> Hashable:
        """Size of the input."""
        return self._size(epoch)

    def batch(self, indices: Tensor, epoch: int) -> tuple[Tensor, PoseTruth]:
        """Images of this epoch's size, and the targets of their cells."""
        size = self._size(epoch)
        layout = self._one(indices, size, self.policy)
        inputs = self.images.sample(layout, size, self._color(self.policy))
        points = self._points[indices]
        base = layout.cells.scale  # of the whole image, (B, 1, 2)
        moved = layout.canvas.move((points[..., :2] * base[:, :, None]).flatten(1, 2)).view_as(points[..., :2])
        seen = points[..., 2] * ((moved >= 0) & (moved < _limits(moved, size))).all(-1)
        points = torch.cat([moved, seen[..., None]], -1)
        points = torch.where(layout.canvas.mirrored()[:, None, None, None], points[:, :, self._mirror], points)
        reach = float(self.card.decode.options["reach"]) * max(size)
        return inputs, device_targets(points, self._crowd[indices], size, reach)


def _limits(points: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., 2) width and height."""
    limits = torch.full_like(points, float(size[0]))
    limits[..., 0] = float(size[1])
    return limits


BATCHES: Mapping[str, type[ClassificationBatches | DetectionBatches | SegmentationBatches | PoseBatches]] = {
    "classify": ClassificationBatches,
    "detect": DetectionBatches,
    "segment": SegmentationBatches,
    "pose": PoseBatches,
}


def device_batches(
    images: InMemoryImages, card: ModelCard, config: TrainConfig, hardware: Hardware, group: ProcessGroup
) -> DeviceBatches | None:
    """Batches on the training device, or None where they are to be made by processes.

    Raises ``InputError`` where ``config.loader`` asks for the device and the task, or a group of processes, does not allow it.
    """
    made = BATCHES.get(card.task)
    wanted = config.loader == "device" or (config.loader == "auto" and hardware.gpu)
    if not wanted:
        return None
    if made is not None and group.size == 1:
        try:
            return made(images, card, config, hardware.device)
        except torch.OutOfMemoryError:
            if config.loader == "device":
                raise
    if config.loader == "auto":
        return None
    why = f"batches for the task {card.task} can't be made there" if made is None else "there are several processes"
    raise InputError(f"--loader device: {why}", "use --loader workers")
