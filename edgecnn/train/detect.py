"""Detection: scores that promise the overlap of their box, and boxes by GIoU, both on cells that TOOD's assigner chose.

Scores learn the aligned IoU by binary cross-entropy (TOOD, arXiv:2108.07755; the idea of one score for class and quality is of
Generalized Focal Loss, arXiv:2006.04388), boxes by GIoU (arXiv:1902.09630), weighted by the wanted score.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.data import Boxes
from edgecnn.train.assign import Truths, assign
from edgecnn.train.augment import Augmenter, join, mosaic, resize, seed_of
from edgecnn.train.boxes import cells, overlap, to_xyxy
from edgecnn.train.distributed import whole
from edgecnn.train.in_memory import Pixels
from edgecnn.train.objective import generator, to_input
from edgecnn.train.options import TrainOptions
from edgecnn.types import Array

BOX_WEIGHT = 4.0
CALM = 0.1  # the last part of the epochs sees images as they are, but for the mirror
MULTIPLE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Images with boxes."""

    pixels: Pixels
    preprocess: Preprocess
    options: TrainOptions
    reach: float
    _augmenters: dict[tuple[tuple[int, int], bool], Augmenter] = field(init=False, default_factory=dict)
    _alike: dict[bytes, list[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for index, row in enumerate(self.pixels.labelled):
            self._alike.setdefault(row.tobytes(), []).append(index)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Truths]:
        """Images of this epoch's size and their objects."""
        size = self.size(epoch)
        changed = [self._image(int(index), epoch, size) for index in indices]
        truth = collate([boxes for _, boxes in changed], self.pixels.labelled[indices])
        return to_input([image for image, _ in changed], self.preprocess), truth

    def size(self, epoch: int) -> tuple[int, int]:
        """(height, width) to train at: three quarters at first, then the model's own."""
        height, width = self.preprocess.size
        if epoch >= round(self.options.coarse * self.options.epochs):
            return height, width
        return _coarse(height), _coarse(width)

    def _image(self, index: int, epoch: int, size: tuple[int, int]) -> tuple[Array, Boxes]:
        augmenter = self._augmenter(size, calm=epoch >= self.options.epochs * (1 - CALM))
        policy, draw = augmenter.policy, generator(self.options.seed, epoch, index)
        image, boxes = self._tile(index, size, draw) if draw.random() < policy.mosaic else self._part(index, size)
        image, boxes = augmenter.with_boxes(image, boxes, seed_of(draw))
        if draw.random() < policy.mixup:
            other, more = augmenter.with_boxes(*self._part(self._partners(index, 1, draw)[0], size), seed_of(draw))
            image = cv2.addWeighted(image, 0.5, other, 0.5, 0).reshape(image.shape)
            boxes = join([boxes, more])
        return image, boxes

    def _part(self, index: int, size: tuple[int, int]) -> tuple[Array, Boxes]:
        return resize(self.pixels.images[index], self.pixels.boxes[index], size)

    def _tile(self, index: int, size: tuple[int, int], draw: np.random.Generator) -> tuple[Array, Boxes]:
        others = self._partners(index, 3, draw)
        return mosaic([self._part(part, size) for part in (index, *others)], draw, self.preprocess.pad_value)

    def _partners(self, index: int, count: int, draw: np.random.Generator) -> list[int]:
        """Images to put beside or over this one: others in which the same classes are labelled."""
        alike = self._alike[self.pixels.labelled[index].tobytes()]
        return [int(alike[place]) for place in draw.integers(0, len(alike), count)]

    def _augmenter(self, size: tuple[int, int], *, calm: bool) -> Augmenter:
        if (size, calm) not in self._augmenters:
            policy = self.options.policy("detect")
            policy = policy.calm() if calm else policy
            made = Augmenter(policy, size, self.preprocess.channels, self.preprocess.pad_value)
            self._augmenters[size, calm] = made
        return self._augmenters[size, calm]

    def loss(self, model: nn.Module, inputs: Tensor, truth: Truths) -> Tensor:
        """Score and box loss, each divided by the sum of the wanted scores."""
        distances, logits = model(inputs)
        with torch.autocast(inputs.device.type, enabled=False):
            return detection_loss(distances.float(), logits.float(), truth.to(inputs.device), _size(inputs), self.reach)


def detection_loss(distances: Tensor, logits: Tensor, truth: Truths, size: tuple[int, int], reach: float) -> Tensor:
    """Loss of predictions (B, N, 4) and (B, N, C) for an input of ``size``."""
    centres, strides = (part.to(logits.device) for part in cells(size))
    boxes = to_xyxy(distances, centres, strides)
    wanted = assign(logits.detach().sigmoid(), boxes.detach(), truth, centres, strides, reach)
    total = whole(wanted.score.sum(), 1.0)
    scores = F.binary_cross_entropy_with_logits(logits, wanted.score, reduction="none")
    counts = wanted.counts[..., None]
    if truth.labelled is not None:
        counts = counts & truth.labelled[:, None]
    score_loss = (scores * counts).sum() / total
    giou = overlap(boxes[wanted.positive], wanted.xyxy[wanted.positive])[1]
    weight = wanted.score.sum(-1)[wanted.positive]
    return score_loss + BOX_WEIGHT * ((1 - giou) * weight).sum() / total


def collate(boxes: list[Boxes], labelled: NDArray[np.bool_] | None = None) -> Truths:
    """Boxes of a batch as tensors of one length, at least one; ``labelled`` (B, C) as in ``Truths``."""
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
    return Truths(torch.from_numpy(xyxy), torch.from_numpy(class_id), torch.from_numpy(real), torch.from_numpy(crowd), known)


def _size(inputs: Tensor) -> tuple[int, int]:
    return int(inputs.shape[2]), int(inputs.shape[3])


def _coarse(length: int) -> int:
    return max(round(length * 0.75 / MULTIPLE), 1) * MULTIPLE
