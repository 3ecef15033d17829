"""The training objective of detectors: scores trained on IoU and boxes by GIoU, on cells assigned by TOOD.

The target of a score is the aligned IoU, with binary cross-entropy (TOOD, arXiv:2108.07755; one score for class and quality is from
Generalized Focal Loss, arXiv:2006.04388); boxes are trained by GIoU (arXiv:1902.09630) and by the L1 distance of their sides (as in
the last epochs of YOLOX, arXiv:2107.08430), weighted by the target score.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.data import Boxes
from edgecnn.train.assign import GroundTruth, assign, collate
from edgecnn.train.augment import Augmenter, concatenate, content_box, mosaic, resize, seed_of
from edgecnn.train.batch_objects import BatchObjects
from edgecnn.train.boxes import cells, overlap, to_xyxy
from edgecnn.train.config import TrainConfig
from edgecnn.train.copy_paste import DRAWS, CopyPaste
from edgecnn.train.device_geometry import content_boxes
from edgecnn.train.distributed import global_divisor
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input, training_size
from edgecnn.train.paste_pixels import paste_into_image
from edgecnn.types import Array

BOX_WEIGHT = 4.0  # of the box loss against the score loss
# of the L1 distance of a side, in strides. A part that reaches out of an object, such as the handle of a mug, changes the overlap
# little, and where its end is uncertain, overlap alone makes the box too short
SIDE_WEIGHT = 0.5
FLIPS_ONLY = 0.1  # fraction of the epochs, the last ones, without augmentation but flips


@dataclass(frozen=True, slots=True, eq=False)
class DetectionObjective:
    """Training images with boxes, and their loss; ``reach`` is the largest distance, in strides, that a cell can express."""

    pixels: InMemoryImages
    preprocess: Preprocess
    config: TrainConfig
    reach: float
    _augmenters: dict[tuple[tuple[int, int], bool], Augmenter] = field(init=False, default_factory=dict)
    _same_classes: dict[bytes, list[int]] = field(init=False, default_factory=dict)
    _copy_paste: CopyPaste | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        for index, row in enumerate(self.pixels.labelled):
            self._same_classes.setdefault(row.tobytes(), []).append(index)
        policy = self.config.policy("detect")
        if policy.copy_paste:
            content = content_boxes(torch.from_numpy(self.pixels.images), self.preprocess.pad_value)
            # the dataclass is frozen for its users
            object.__setattr__(self, "_copy_paste", CopyPaste(BatchObjects.of(self.pixels.boxes), content, self.pixels, policy))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, GroundTruth]:
        """Images of this epoch's size, and their objects."""
        size = self.size(epoch)
        changed = [self._image(int(index), epoch, size) for index in indices]
        truth = collate([boxes for _, boxes in changed], self.pixels.labelled[indices])
        return to_input([image for image, _ in changed], self.preprocess), truth

    def size(self, epoch: int) -> tuple[int, int]:
        """(height, width) to train at: three quarters in the first epochs, then the model's own."""
        return training_size(self.preprocess.size, epoch, self.config)

    def _image(self, index: int, epoch: int, size: tuple[int, int]) -> tuple[Array, Boxes]:
        augmenter = self._augmenter(size, flips_only=epoch >= self.config.epochs * (1 - FLIPS_ONLY))
        policy, draw = augmenter.policy, generator(self.config.seed, epoch, index)
        image, boxes = self._mosaic(index, size, draw) if draw.random() < policy.mosaic else self._resized(index, size)
        if policy.copy_paste:
            image, boxes = self._pasted(index, image, boxes, draw)
        image, boxes = augmenter.with_boxes(image, boxes, seed_of(draw))
        if draw.random() < policy.mixup:
            other, more = augmenter.with_boxes(*self._resized(self._partners(index, 1, draw)[0], size), seed_of(draw))
            # OpenCV drops the channel axis of gray images
            image = cv2.addWeighted(image, 0.5, other, 0.5, 0).reshape(image.shape)
            boxes = concatenate([boxes, more])
        return image, boxes

    def _resized(self, index: int, size: tuple[int, int]) -> tuple[Array, Boxes]:
        return resize(self.pixels.images[index], self.pixels.boxes[index], size)

    def _mosaic(self, index: int, size: tuple[int, int], draw: np.random.Generator) -> tuple[Array, Boxes]:
        others = self._partners(index, 3, draw)
        return mosaic([self._resized(part, size) for part in (index, *others)], draw, self.preprocess.pad_value)

    def _pasted(self, index: int, image: Array, boxes: Boxes, draw: np.random.Generator) -> tuple[Array, Boxes]:
        """The image with objects of others on it, by chance."""
        numbers = torch.from_numpy(draw.random((1, DRAWS), np.float32))
        if self._copy_paste is None or not self._copy_paste.some(numbers)[0]:
            return image, boxes
        size = (image.shape[0], image.shape[1])
        top, left, bottom, right = content_box(image, self.preprocess.pad_value)
        region = torch.tensor([[left, top, right, bottom]], dtype=torch.float32)
        crops = self._copy_paste.crops(torch.tensor([index]), region, size, numbers)
        objects = self._copy_paste.objects(BatchObjects.of([boxes]), crops, size)
        return paste_into_image(image, self.pixels.images, crops), objects.boxes(0)

    def _partners(self, index: int, count: int, draw: np.random.Generator) -> list[int]:
        """Images for a mosaic or mixup with this one: others in which the same classes are labelled, since ``labelled`` is per image."""
        others = self._same_classes[self.pixels.labelled[index].tobytes()]
        return [int(others[place]) for place in draw.integers(0, len(others), count)]

    def _augmenter(self, size: tuple[int, int], *, flips_only: bool) -> Augmenter:
        if (size, flips_only) not in self._augmenters:
            policy = self.config.policy("detect")
            policy = policy.flips_only() if flips_only else policy
            made = Augmenter(policy, size, self.preprocess.channels, self.preprocess.pad_value)
            self._augmenters[size, flips_only] = made
        return self._augmenters[size, flips_only]

    def loss(self, model: nn.Module, inputs: Tensor, truth: GroundTruth) -> Tensor:
        """Score and box loss, each divided by the sum of the target scores."""
        distances, logits = model(inputs)
        # in float32: box coordinates of hundreds of pixels have steps of 1 or 2 in bfloat16
        with torch.autocast(inputs.device.type, enabled=False):
            return detection_loss(distances.float(), logits.float(), truth.to(inputs.device), _size(inputs), self.reach)


def detection_loss(distances: Tensor, logits: Tensor, truth: GroundTruth, size: tuple[int, int], reach: float) -> Tensor:
    """Loss of predictions (B, N, 4) and (B, N, C) for an input of ``size``."""
    centres, strides = cells(size, logits.device)
    boxes = to_xyxy(distances, centres, strides)
    target = assign(logits.detach().sigmoid(), boxes.detach(), truth, centres, strides, reach)
    # Divided by the sum of target scores, not by the number of positive cells: poorly aligned cells count less, as in the loss itself.
    total = global_divisor(target.score.sum(), 1.0)
    scores = F.binary_cross_entropy_with_logits(logits, target.score, reduction="none")
    counts = target.counts
    if truth.labelled is not None:
        counts = counts & truth.labelled[:, None]
    score_loss = (scores * counts).sum() / total
    # of all cells, those without an object with weight 0: choosing the others would wait for a GPU to count them
    missed = BOX_WEIGHT * (1 - overlap(boxes, target.xyxy)[1])
    missed = missed + SIDE_WEIGHT * ((boxes - target.xyxy) / strides).abs().sum(-1)
    return score_loss + (missed * target.positive * target.score.sum(-1)).sum() / total


def _size(inputs: Tensor) -> tuple[int, int]:
    return int(inputs.shape[2]), int(inputs.shape[3])
