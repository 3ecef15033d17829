"""The training objective of EdgePose: focal loss of the centres, L1 of the offsets to the key points (arXiv:1904.07850).

Offsets count in shares of the object's size, as OKS measures them: a pixel matters more for a small object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.models.pyramid import STRIDE
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input, training_size
from edgecnn.types import Array, Float32, Image

OFFSET_WEIGHT = 5.0  # of the offset loss, in shares of the object's size, against the centre loss
SPREAD = 0.1  # standard deviation of a centre's target as a share of the object's size
LEAST_SPREAD = 0.7  # in cells
NEAR = 0.6  # of the target of a centre: cells from here on learn the offsets, too


@dataclass(frozen=True, slots=True)
class PoseTruth:
    """Targets on the cells: ``centre`` (B, 1, h, w) of 0..1, -1 where it does not count; ``offset`` and ``weight`` (B, 2 K, h, w).

    ``weight`` is 0 where an offset does not count, else the reach divided by the object's size.
    """

    centre: Tensor
    offset: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PoseObjective:
    """Training images with key points, and their loss; ``card`` is that of an EdgePose."""

    pixels: InMemoryImages
    card: ModelCard
    config: TrainConfig
    _augmenters: dict[tuple[int, int], Augmenter] = field(init=False, default_factory=dict)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, PoseTruth]:
        """Images of this epoch's size, and the targets of their cells."""
        size = training_size(self.card.preprocess.size, epoch, self.config)
        pairs = [self._pair(int(index), epoch, size) for index in indices]
        reach = float(self.card.decode.options["reach"]) * max(size)
        targets = [pose_targets(points, crowd, size, reach) for _, points, crowd in pairs]
        centre, offset, weight = (torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True))
        return to_input([image for image, _, _ in pairs], self.card.preprocess), PoseTruth(centre, offset, weight)

    def _pair(self, index: int, epoch: int, size: tuple[int, int]) -> tuple[Image, Float32, Array]:
        image, points = self.pixels.images[index], self.pixels.points[index].copy()
        crowd = self.pixels.boxes[index].crowd
        if image.shape[:2] != size:
            points[..., :2] *= np.array([size[1] / image.shape[1], size[0] / image.shape[0]], np.float32)
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, -1).astype(np.uint8, copy=False)
        if size not in self._augmenters:
            policy, channels = self.config.policy("pose"), self.card.preprocess.channels
            self._augmenters[size] = Augmenter(policy, size, channels, self.card.preprocess.pad_value)
        seed = seed_of(generator(self.config.seed, epoch, index))
        image, moved, mirrored = self._augmenters[size].with_points(image, points[..., :2].reshape(-1, 2), seed)
        points[..., :2] = moved.reshape(*points.shape[:2], 2)
        if mirrored:
            points = points[:, mirror_order(self.card.labels)]
        inside = (points[..., 0] >= 0) & (points[..., 1] >= 0) & (points[..., 0] < size[1]) & (points[..., 1] < size[0])
        points[..., 2] *= inside
        return image, points, np.zeros(len(points), np.bool_) if crowd is None else crowd

    def loss(self, model: nn.Module, inputs: Tensor, truth: PoseTruth) -> Tensor:
        """Focal loss of the centres and weighted L1 of the offsets."""
        centres, offsets = (part.float() for part in model(inputs))
        return centre_loss(centres, truth.centre.to(inputs.device)) + OFFSET_WEIGHT * offset_loss(
            offsets, truth.offset.to(inputs.device), truth.weight.to(inputs.device)
        )


def mirror_order(labels: Sequence[str]) -> list[int]:
    """The index that each key point has in a mirrored image: names that differ in left and right alone change places."""
    names = [label.lower() for label in labels]
    other = [name.replace("left", "\0").replace("right", "left").replace("\0", "right") for name in names]
    return [names.index(name) if name in names else index for index, name in enumerate(other)]


def pose_targets(points: Float32, crowd: Array, size: tuple[int, int], reach: float) -> tuple[Float32, Float32, Float32]:
    """Targets of one image: points (n, K, 3) in pixels of an input of ``size``, ``crowd`` (n,) objects that do not count.

    The centre of an object is the mean of its labelled key points. Returns (1, h, w), (2 K, h, w) and (2 K, h, w) float32.
    """
    rows, columns = size[0] // STRIDE, size[1] // STRIDE
    count = 2 * points.shape[1]
    centre = np.zeros((rows, columns), np.float32)
    offset, weight = np.zeros((count, rows, columns), np.float32), np.zeros((count, rows, columns), np.float32)
    ignored = np.zeros((rows, columns), np.bool_)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    for keys, hidden in zip(points, crowd, strict=True):
        labelled = keys[:, 2] > 0
        if not labelled.any():
            continue
        middle = keys[labelled, :2].mean(0)
        extent = float(np.ptp(keys[labelled, :2], axis=0).max())
        spread = max(SPREAD * extent / STRIDE, LEAST_SPREAD)
        column, row = np.floor(middle / STRIDE)
        peak = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * spread**2))
        if hidden:
            ignored |= peak > NEAR / 2
            continue
        own = (peak > NEAR) & (peak > centre)
        centre = np.maximum(centre, peak)
        for key, (px, py, seen) in enumerate(keys):
            for axis, value, cells in ((2 * key, px, x), (2 * key + 1, py, y)):
                offset[axis][own] = (value - (cells[own] + 0.5) * STRIDE) / reach
                weight[axis][own] = reach / max(extent, STRIDE) if seen > 0 else 0.0
    centre[ignored & (centre < 1)] = -1
    return centre[None], offset, weight


def device_targets(points: Tensor, crowd: Tensor, size: tuple[int, int], reach: float) -> PoseTruth:
    """``pose_targets`` for a batch: points (B, n, K, 3) and ``crowd`` (B, n) on the training device."""
    rows, columns = size[0] // STRIDE, size[1] // STRIDE
    labelled = points[..., 2] > 0
    count = labelled.sum(-1).clamp(min=1)
    there = labelled.any(-1)
    xy = points[..., :2]
    middle = (xy * labelled[..., None]).sum(2) / count[..., None]
    far = 1e6
    high = torch.where(labelled[..., None], xy, -far).amax(2)
    low = torch.where(labelled[..., None], xy, far).amin(2)
    extent = (high - low).amax(-1)
    spread = (SPREAD * extent / STRIDE).clamp(min=LEAST_SPREAD)
    column, row = (middle / STRIDE).floor().unbind(-1)
    y = torch.arange(rows, device=points.device).view(1, 1, -1, 1)
    x = torch.arange(columns, device=points.device).view(1, 1, 1, -1)
    away = (x - column[..., None, None]) ** 2 + (y - row[..., None, None]) ** 2
    peak = torch.exp(-away / (2 * spread[..., None, None] ** 2))  # (B, n, h, w)
    peak = peak * there[..., None, None]
    hidden = crowd[..., None, None]
    ignored = (hidden & (peak > NEAR / 2)).any(1)
    best, which = torch.where(hidden, 0.0, peak).max(1)
    centre = torch.where(ignored & (best < 1), -1.0, best)
    own = (best > NEAR)[:, None]  # (B, 1, h, w)
    flat = which.flatten(1)
    keys = points.gather(1, flat[:, :, None, None].expand(-1, -1, *points.shape[2:]))  # (B, h w, K, 3)
    cell = torch.stack([x.expand(1, 1, rows, columns), y.expand(1, 1, rows, columns)], -1).flatten(0, 3)
    offset = (keys[..., :2] - ((cell + 0.5) * STRIDE)[None, :, None]) / reach
    offset = offset.flatten(2).transpose(1, 2).reshape(len(points), -1, rows, columns) * own
    share = reach / extent.clamp(min=STRIDE).gather(1, flat)
    weight = ((keys[..., 2] > 0) * share[..., None]).repeat_interleave(2, -1)
    weight = weight.transpose(1, 2).reshape(len(points), -1, rows, columns) * own
    return PoseTruth(centre[:, None], offset, weight)


def centre_loss(logits: Tensor, target: Tensor) -> Tensor:
    """The focal loss of arXiv:1904.07850, equation 1, with alpha 2 and beta 4, for each object; targets below 0 do not count."""
    score, counts = logits.sigmoid(), target >= 0
    positive = target == 1
    found = (1 - score) ** 2 * nn.functional.logsigmoid(logits) * positive
    missed = (1 - target.clamp(min=0)) ** 4 * score**2 * nn.functional.logsigmoid(-logits) * (~positive & counts)
    return -(found + missed).sum() / positive.sum().clamp(min=1)


def offset_loss(offsets: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of the offsets that count, in shares of the sizes of their objects."""
    return ((offsets - target).abs() * weight).sum() / (weight > 0).sum().clamp(min=1)
