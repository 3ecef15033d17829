"""The training objective of restoration: L1 loss between restored and original patches (Zhao et al. 2017, arXiv:1511.08861)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import ModelCard, Preprocess
from edgecnn.degrade import Degradation, degrade
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input
from edgecnn.types import Array, Image

PATCH = 48  # pixels of a side of a training patch before it is enlarged


@dataclass(frozen=True, slots=True, eq=False)
class RestorationObjective:
    """Original images of the size of the model's output, from which patches are cut and degraded, and their loss."""

    pixels: InMemoryImages
    card: ModelCard
    config: TrainConfig

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Degraded patches (B, C, p, p), and the originals (B, C, upscale p, upscale p) of 0..1."""
        how = Degradation.of(self.card.decode.options)
        originals, inputs = [], []
        for index in indices:
            draw = generator(self.config.seed, epoch, int(index))
            patch = self._patch(self.pixels.images[int(index)], how.upscale, draw)
            originals.append(patch)
            inputs.append(degrade(patch, how, draw))
        truth = torch.from_numpy(np.stack(originals)).permute(0, 3, 1, 2).float() / 255
        return to_input(list(inputs), self.card.preprocess), truth

    def _patch(self, image: Image, upscale: int, draw: np.random.Generator) -> Image:
        side = min(PATCH * upscale, *(length // upscale * upscale for length in image.shape[:2]))
        top, left = (int(draw.integers(0, image.shape[axis] - side + 1)) for axis in (0, 1))
        patch = image[top : top + side, left : left + side]
        if self.config.policy("restore").flip > draw.random():
            patch = patch[:, ::-1]
        return np.ascontiguousarray(patch)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean absolute error of the batch."""
        return F.l1_loss(model(inputs).float(), truth.to(inputs.device))


def originals(card: ModelCard) -> Preprocess:
    """How training images are loaded: the centre of each in the size of the model's output."""
    upscale = Degradation.of(card.decode.options).upscale
    height, width = (side * upscale for side in card.preprocess.size)
    return dataclasses.replace(card.preprocess, size=(height, width))
