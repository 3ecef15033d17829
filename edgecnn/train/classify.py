"""The training objective of classifiers: cross-entropy with label smoothing (arXiv:1512.00567) and optional mixup."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.balance import balanced_order, class_weights
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input
from edgecnn.types import Array, Image

LABEL_SMOOTHING = 0.05
MIXUP_ALPHA = 0.3  # both parameters of the beta distribution of the mixing weight
NO_MIXUP = 0.1  # fraction of the epochs, the last ones, without mixup


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationObjective:
    """Training images with one label each, and their loss."""

    pixels: InMemoryImages
    preprocess: Preprocess
    config: TrainConfig
    classes: int
    task: str = "classify"
    _made: list[Augmenter] = field(init=False, default_factory=list)
    _placed: dict[torch.device, Tensor] = field(init=False, default_factory=dict)

    @property
    def _augment(self) -> Augmenter:
        if not self._made:
            size, channels = self.preprocess.size, self.preprocess.channels
            self._made.append(Augmenter(self.config.policy(self.task), size, channels, pad=0))
        return self._made[0]

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images, and labels (B,) or, for a batch with mixup, class probabilities (B, classes)."""
        # each image has its own seed: the batch does not depend on the number of workers
        images = [self._image(int(index), epoch) for index in indices]
        inputs, labels = to_input(images, self.preprocess), torch.from_numpy(self.pixels.labels[indices])
        chance = self._augment.policy.mixup
        # beyond the indices of images, whose generators must not give the same numbers
        draw = generator(self.config.seed, epoch, int(indices[0]) + len(self))
        if not chance or epoch >= self.config.epochs * (1 - NO_MIXUP) or draw.random() >= chance:
            return inputs, labels
        return mixup(inputs, labels, self.classes, draw)

    def _image(self, index: int, epoch: int) -> Image:
        seed = seed_of(generator(self.config.seed, epoch, index))
        return self._augment.image(self.pixels.images[index], seed)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean cross-entropy of the batch; with ``balance`` weights each image counts by the weight of its class."""
        weight = self._weights(inputs.device) if self.config.balance == "weights" else None
        return F.cross_entropy(model(inputs).float(), truth.to(inputs.device), weight, label_smoothing=LABEL_SMOOTHING)

    def order(self, draw: np.random.Generator) -> Array:
        """The images (n,) of an epoch in random order; with ``balance`` sampling each class is as frequent as any other."""
        return balanced_order(self.pixels.labels, draw) if self.config.balance == "sampling" else draw.permutation(len(self))

    def _weights(self, device: torch.device) -> Tensor:
        """Copied to the device once: a CUDA graph can't copy from the processor."""
        if device not in self._placed:
            self._placed[device] = torch.from_numpy(class_weights(self.pixels.labels, self.classes)).to(device)
        return self._placed[device]


def mixup(inputs: Tensor, labels: Tensor, classes: int, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mix each image with its neighbour in the batch, and their one-hot labels (B, classes): mixup, arXiv:1710.09412."""
    weight = float(draw.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    truth = F.one_hot(labels, classes).float()
    return weight * inputs + (1 - weight) * inputs.roll(1, 0), weight * truth + (1 - weight) * truth.roll(1, 0)
