"""Classification: cross-entropy with label smoothing (Inception v3, arXiv:1512.00567), images mixed in pairs where asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.in_memory import Pixels
from edgecnn.train.objective import generator, to_input
from edgecnn.train.options import TrainOptions
from edgecnn.types import Array, Image

SMOOTHING = 0.05
MIXED = 0.3  # both parameters of the beta distribution of the share of the first image
CALM = 0.1  # the last part of the epochs mixes nothing


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """Images with one label each."""

    pixels: Pixels
    preprocess: Preprocess
    options: TrainOptions
    classes: int
    _augment: Augmenter = field(init=False)

    def __post_init__(self) -> None:
        size, channels = self.preprocess.size, self.preprocess.channels
        policy = self.options.policy("classify")
        object.__setattr__(self, "_augment", Augmenter(policy, size, channels, pad=0))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images, and labels (B,) or, where images were mixed, shares of the classes (B, classes)."""
        images = [self._image(int(index), epoch) for index in indices]
        inputs, labels = to_input(images, self.preprocess), torch.from_numpy(self.pixels.labels[indices])
        chance = self._augment.policy.mixup
        draw = generator(self.options.seed, epoch, int(indices[0]) + len(self))
        if not chance or epoch >= self.options.epochs * (1 - CALM) or draw.random() >= chance:
            return inputs, labels
        return mixed(inputs, labels, self.classes, draw)

    def _image(self, index: int, epoch: int) -> Image:
        seed = seed_of(generator(self.options.seed, epoch, index))
        return self._augment.image(self.pixels.images[index], seed)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean cross-entropy of the batch."""
        return F.cross_entropy(model(inputs).float(), truth.to(inputs.device), label_smoothing=SMOOTHING)


def mixed(inputs: Tensor, labels: Tensor, classes: int, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Each image mixed with its neighbour in the batch, labels in the same shares (B, classes): mixup, arXiv:1710.09412."""
    share = float(draw.beta(MIXED, MIXED))
    truth = F.one_hot(labels, classes).float()
    return share * inputs + (1 - share) * inputs.roll(1, 0), share * truth + (1 - share) * truth.roll(1, 0)
