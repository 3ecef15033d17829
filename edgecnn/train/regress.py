"""Regression: smooth L1 (Huber 1964, doi:10.1214/aoms/1177703732) of values brought to mean 0 and deviation 1."""

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
from edgecnn.train.in_memory import Pixels
from edgecnn.train.objective import generator, to_input
from edgecnn.train.options import TrainOptions
from edgecnn.types import Array

BETA = 0.5  # deviations below which the loss is quadratic


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Images with one value each; ``card`` says by which scale and offset the network's output becomes the value."""

    pixels: Pixels
    card: ModelCard
    options: TrainOptions
    _augment: Augmenter = field(init=False)

    def __post_init__(self) -> None:
        preprocess = self.card.preprocess
        policy = self.options.policy("regress")
        object.__setattr__(self, "_augment", Augmenter(policy, preprocess.size, preprocess.channels, pad=0))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images, and what the network is to give for them (B, 1) float32."""
        seeds = [seed_of(generator(self.options.seed, epoch, int(index))) for index in indices]
        images = [self._augment.image(self.pixels.images[index], seed) for index, seed in zip(indices, seeds, strict=True)]
        scale, offset = (self.card.decode.options[key][0] for key in ("scale", "offset"))
        wanted = (self.pixels.values[indices] - offset) / scale
        return to_input(images, self.card.preprocess), torch.from_numpy(wanted.astype(np.float32)[:, None])

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean smooth L1 of the batch, in deviations of the training values."""
        return F.smooth_l1_loss(model(inputs).float(), truth.to(inputs.device), beta=BETA)


def scaled(card: ModelCard, datasets: Sequence[Dataset]) -> ModelCard:
    """The card whose decoder turns outputs of mean 0 and deviation 1 into values of the training images.

    Raises ``InputError`` where an image has no value, or all have the same.
    """
    found = [sample.value for dataset in datasets for sample in dataset.samples]
    values = np.array([np.nan if value is None else value for value in found], np.float64)
    if not np.isfinite(values).all():
        raise InputError("a value for each image", f"{int((~np.isfinite(values)).sum())} images without", "complete the values")
    deviation = float(values.std())
    if not deviation:
        raise InputError("values that differ, to learn what they depend on", f"{len(values)} times {values[0]:g}", "add others")
    options = {**card.decode.options, "scale": [deviation], "offset": [float(values.mean())]}
    return card.replace(decode=Decode(card.decode.name, options))
