"""The training objective of regression: smooth L1 loss (Huber 1964, doi:10.1214/aoms/1177703732) on standardized targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Decode, ModelCard
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.train.augment import Augmenter, seed_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.objective import generator, to_input
from edgecnn.types import Array

BETA = 0.5  # deviations below which the loss is quadratic


@dataclass(frozen=True, slots=True, eq=False)
class RegressionObjective:
    """Training images with one value each, and their loss; the decoder in ``card`` has scale and offset from output to value."""

    pixels: InMemoryImages
    card: ModelCard
    config: TrainConfig
    _augment: Augmenter = field(init=False)

    def __post_init__(self) -> None:
        preprocess = self.card.preprocess
        policy = self.config.policy("regress")
        object.__setattr__(self, "_augment", Augmenter(policy, preprocess.size, preprocess.channels, pad=0))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images, and their standardized targets (B, 1) float32."""
        seeds = [seed_of(generator(self.config.seed, epoch, int(index))) for index in indices]
        images = [self._augment.image(self.pixels.images[index], seed) for index, seed in zip(indices, seeds, strict=True)]
        scale, offset = (self.card.decode.options[key][0] for key in ("scale", "offset"))
        targets = (self.pixels.values[indices] - offset) / scale
        return to_input(images, self.card.preprocess), torch.from_numpy(targets.astype(np.float32)[:, None])

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean smooth L1 of the batch, in deviations of the training values."""
        return F.smooth_l1_loss(model(inputs).float(), truth.to(inputs.device), beta=BETA)


def with_target_scale(card: ModelCard, datasets: Sequence[Dataset]) -> ModelCard:
    """The card with a decoder that maps standardized outputs back to the values of the training images.

    Raises ``InputError`` where an image has no value, or all have the same.
    """
    found = [sample.value for dataset in datasets for sample in dataset.samples]
    values = np.array([np.nan if value is None else value for value in found], np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"--data: {int((~np.isfinite(values)).sum())} images have no value", "complete the values")
    deviation = float(values.std())
    if not deviation:
        raise InputError(f"--data: all {len(values)} images have the value {values[0]:g}", "add images with other values")
    # The network is trained on standardized values; the decoder turns its output into value = output * scale + offset.
    options = {**card.decode.options, "scale": [deviation], "offset": [float(values.mean())]}
    return card.replace(decode=Decode(card.decode.name, options))
