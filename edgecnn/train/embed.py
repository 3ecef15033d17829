"""The training objective of embeddings: supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import ModelCard
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input
from edgecnn.types import Array, Image, Int64

TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingObjective:
    """Training images with one class each, in pairs of one class, and their loss."""

    pixels: InMemoryImages
    card: ModelCard
    config: TrainConfig
    _augment: Augmenter = field(init=False)
    _members: dict[int, Int64] = field(init=False)

    def __post_init__(self) -> None:
        policy = self.config.policy("embed")
        preprocess = self.card.preprocess
        object.__setattr__(self, "_augment", Augmenter(policy, preprocess.size, preprocess.channels, pad=0))
        labels = self.pixels.labels
        members = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
        object.__setattr__(self, "_members", members)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images (2 B, C, H, W), the second half of the same classes as the first, and their classes (2 B,)."""
        first, second = [], []
        for index in indices:
            draw = generator(self.config.seed, epoch, int(index))
            first.append(self._image(int(index), draw))
            second.append(self._image(self._partner(int(index), draw), draw))
        labels = torch.from_numpy(self.pixels.labels[indices])
        return to_input([*first, *second], self.card.preprocess), torch.cat([labels, labels])

    def _partner(self, index: int, draw: np.random.Generator) -> int:
        """Another image of the same class; the image itself where its class has no other, which then is augmented twice."""
        members = self._members[int(self.pixels.labels[index])]
        others = members[members != index]
        return int(draw.choice(others)) if len(others) else index

    def _image(self, index: int, draw: np.random.Generator) -> Image:
        return self._augment.image(self.pixels.images[index], seed_of(draw))

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean supervised contrastive loss of the batch."""
        return contrastive(model(inputs).float(), truth.to(inputs.device))


def contrastive(vectors: Tensor, labels: Tensor) -> Tensor:
    """The loss L_out of the paper, equation 2, for vectors (n, D) of any length; each label must occur at least twice."""
    unit = F.normalize(vectors)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    similar = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -torch.inf)
    chance = similar.log_softmax(1)
    same = (labels[:, None] == labels[None]) & ~itself
    return -(chance.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()
