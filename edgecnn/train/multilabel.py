"""The training objective of multi-label classifiers: binary cross-entropy of each label."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import ModelCard
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input
from edgecnn.types import Array


@dataclass(frozen=True, slots=True, eq=False)
class MultiLabelObjective:
    """Training images with any number of labels each, and their loss."""

    pixels: InMemoryImages
    card: ModelCard
    config: TrainConfig
    _augment: Augmenter = field(init=False)

    def __post_init__(self) -> None:
        preprocess, policy = self.card.preprocess, self.config.policy("multilabel")
        object.__setattr__(self, "_augment", Augmenter(policy, preprocess.size, preprocess.channels, pad=0))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images, and their labels (B, C) float32: 1 where a label applies, 0 where not, -1 where that is not known."""
        seeds = [seed_of(generator(self.config.seed, epoch, int(index))) for index in indices]
        images = [self._augment.image(self.pixels.images[index], seed) for index, seed in zip(indices, seeds, strict=True)]
        truth = torch.from_numpy(self.pixels.label_sets[indices]).float()
        truth[~torch.from_numpy(self.pixels.labelled[indices])] = -1
        return to_input(images, self.card.preprocess), truth

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean binary cross-entropy over the labels that are known."""
        truth = truth.to(inputs.device)
        each = F.binary_cross_entropy_with_logits(model(inputs).float(), truth.clamp(min=0), reduction="none")
        known = truth >= 0
        return (each * known).sum() / known.sum().clamp(min=1)
