"""Batches on the training device for each task that has them: images and their ground truth, moved together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.train.assign import GroundTruth
from edgecnn.train.augment_policy import AugmentPolicy
from edgecnn.train.batch_objects import BatchObjects, LabelGroups, around_ellipses
from edgecnn.train.classify import MIXUP_ALPHA, NO_MIXUP
from edgecnn.train.config import TrainConfig
from edgecnn.train.copy_paste import DRAWS, CopyPaste, PastedCrops
from edgecnn.train.detect import FLIPS_ONLY
from edgecnn.train.device_color import ColorAugment
from edgecnn.train.device_geometry import BatchLayout, Cells, Sampler, draw_canvas, sides
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


class DetectionBatches(_Base):
    """Images with boxes, as in ``DetectionObjective``."""

    def __init__(self, images: InMemoryImages, card: ModelCard, config: TrainConfig, device: str) -> None:
        super().__init__(images, card, config, device)
        self._objects = BatchObjects.of(images.boxes, device)
        self._labelled = torch.from_numpy(images.labelled).to(device)
        self._content = self.images.content()
        self._groups = LabelGroups(images.labelled, np.ones(len(images), np.bool_), device)
        self._copy_paste = CopyPaste(self._objects, self._content, images, self.policy) if self.policy.copy_paste else None

    def variant(self, epoch: int) -> Hashable:
        """Size of the input, and whether only flips are left."""
        return self._size(epoch), epoch >= self.config.epochs * (1 - FLIPS_ONLY)

    def batch(self, indices: Tensor, epoch: int) -> tuple[Tensor, GroundTruth]:
        """Images of this epoch's size, and their objects."""
        size, last = self._size(epoch), epoch >= self.config.epochs * (1 - FLIPS_ONLY)
        policy = self.policy.flips_only() if last else self.policy
        layout = self._layout(indices, size, policy)
        crops = self._crops(indices, layout, policy)
        inputs, found = self.images.sample(layout, size, self._color(policy), crops), self._moved(layout, crops)
        if policy.mixup:
            other = self._one(self._partners(indices, 1)[:, 0], size, policy)
            mixed = torch.rand(len(indices), device=inputs.device) < policy.mixup
            half = torch.where(mixed, 0.5, 1.0)[:, None, None, None]
            inputs = half * inputs + (1 - half) * self.images.sample(other, size, self._color(policy))
            more = self._moved(other)
            found = found.joined(BatchObjects(more.xyxy, more.class_id, more.there & mixed[:, None], more.crowd & mixed[:, None]))
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
        return self._groups.draw(indices, torch.rand(len(indices), count, device=indices.device))

    def _crops(self, indices: Tensor, layout: BatchLayout, policy: AugmentPolicy) -> PastedCrops | None:
        """What is pasted onto the canvases."""
        if not (self._copy_paste and policy.copy_paste):
            return None
        size = layout.canvas.size
        side = sides(size, indices.device)
        region = self._content[indices] * (side / sides(self.images.size, indices.device)).repeat(2)
        mosaic = (layout.cells.split < side).any(-1)[:, None]
        region = torch.where(mosaic, torch.cat([torch.zeros_like(side), side]), region)
        return self._copy_paste.crops(indices, region, size, torch.rand(len(indices), DRAWS, device=indices.device))

    def _moved(self, layout: BatchLayout, crops: PastedCrops | None = None) -> BatchObjects:
        """The objects of a layout's images and of crops on them, in the output; an object that is mostly cut off becomes a crowd."""
        cells, canvas = layout.cells, layout.canvas
        xyxy = self._objects.xyxy[cells.index] * cells.scale.repeat(1, 1, 2)[:, :, None]
        xyxy = xyxy + cells.offset.repeat(1, 1, 2)[:, :, None]
        low, high = cells.corner.repeat(1, 1, 2)[:, :, None], (cells.corner + cells.extent).repeat(1, 1, 2)[:, :, None]
        part = BatchObjects(
            xyxy, *(own[cells.index] for own in (self._objects.class_id, self._objects.there, self._objects.crowd))
        )
        part = part.clipped(low, high)
        found = BatchObjects(part.xyxy.flatten(1, 2), *(own.flatten(1) for own in (part.class_id, part.there, part.crowd)))
        if self._copy_paste and crops is not None:
            found = self._copy_paste.objects(found, crops, canvas.size)
        moved = BatchObjects(around_ellipses(found.xyxy, canvas), found.class_id, found.there, found.crowd)
        low = torch.zeros_like(moved.xyxy)
        return moved.clipped(low, low + sides(canvas.size, low.device).repeat(2))


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
