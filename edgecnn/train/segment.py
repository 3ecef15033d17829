"""The training objective of semantic segmentation: cross-entropy of each pixel, and the Dice loss of each class.

Dice is what small classes need, which a mean over pixels hardly sees: V-Net, arXiv:1606.04797.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input, training_size
from edgecnn.types import NO_CLASS, Array, Image


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationObjective:
    """Training images with masks, and their loss."""

    pixels: InMemoryImages
    preprocess: Preprocess
    config: TrainConfig
    _augmenters: dict[tuple[int, int], Augmenter] = field(init=False, default_factory=dict)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images of this epoch's size, and the class of each pixel (B, H, W) int64."""
        size = training_size(self.preprocess.size, epoch, self.config)
        pairs = [self._pair(int(index), epoch, size) for index in indices]
        masks = torch.from_numpy(np.stack([mask for _, mask in pairs]).astype(np.int64))
        return to_input([image for image, _ in pairs], self.preprocess), masks

    def _pair(self, index: int, epoch: int, size: tuple[int, int]) -> tuple[Image, Image]:
        image, mask = self.pixels.images[index], self.pixels.masks[index]
        if mask.shape != size:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, -1).astype(np.uint8, copy=False)
            mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)
        if size not in self._augmenters:
            policy, channels = self.config.policy("segment"), self.preprocess.channels
            self._augmenters[size] = Augmenter(policy, size, channels, self.preprocess.pad_value)
        return self._augmenters[size].with_mask(image, mask, seed_of(generator(self.config.seed, epoch, index)))

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean cross-entropy of the pixels and mean Dice loss of the classes in the batch, at the size of the input."""
        logits = model(inputs).float()
        logits = F.interpolate(logits, truth.shape[1:], mode="bilinear", align_corners=False)
        return segmentation_loss(logits, truth.to(inputs.device))


def segmentation_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Loss of logits (B, C, H, W) for classes (B, H, W); pixels of NO_CLASS do not count."""
    counts = truth != NO_CLASS
    entropy = F.cross_entropy(logits, truth, ignore_index=NO_CLASS, reduction="sum") / counts.sum().clamp(min=1)
    share = logits.softmax(1) * counts[:, None]
    own = F.one_hot(truth.where(counts, torch.zeros_like(truth)), logits.shape[1]).permute(0, 3, 1, 2) * counts[:, None]
    both, sizes = (share * own).sum((0, 2, 3)), (share + own).sum((0, 2, 3))
    there = own.sum((0, 2, 3)) > 0
    dice = 1 - 2 * both / sizes.clamp(min=1e-6)
    return entropy + (dice * there).sum() / there.sum().clamp(min=1)
