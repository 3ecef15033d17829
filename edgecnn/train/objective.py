"""The interface between the training loop and a task: an objective provides batches and a loss."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.card import Preprocess
from edgecnn.train.config import TrainConfig
from edgecnn.types import Array

MULTIPLE = 32  # of the side of an input: the largest stride


class Objective(Protocol):
    """The training images of a task, and its loss."""

    def __len__(self) -> int:
        """Number of training images."""
        ...

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Any]:
        """Input (B, C, H, W) float32 and ground truth of the images ``indices``, augmented for this epoch."""
        ...

    def loss(self, model: nn.Module, inputs: Tensor, truth: Any) -> Tensor:
        """The loss of a batch, a scalar; called under autocast."""
        ...


@runtime_checkable
class OrderedObjective(Protocol):
    """An objective that says itself which images an epoch sees."""

    def order(self, draw: np.random.Generator) -> Array:
        """The images of an epoch, (n,) indices in random order; an image may occur several times."""
        ...


def image_order(objective: Objective, draw: np.random.Generator) -> Array:
    """The images of an epoch: in the order that the objective gives, else each once in random order."""
    return objective.order(draw) if isinstance(objective, OrderedObjective) else draw.permutation(len(objective))


def generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random generator of one image in one epoch: independent of workers, batches and interruptions."""
    return np.random.default_rng((seed, epoch, index))


def to_input(images: list[Array], preprocess: Preprocess) -> Tensor:
    """uint8 images (h, w, c) of one size to a float batch in channels-last memory: ``edgecnn.preprocess.to_tensor`` for a batch."""
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocess.mean, preprocess.std))
    return batch.sub_(mean).div_(std)


def training_size(size: tuple[int, int], epoch: int, config: TrainConfig) -> tuple[int, int]:
    """(height, width) to train at: three quarters of ``size`` in the first epochs, in multiples of 32, then ``size`` itself."""
    if epoch >= round(config.multiscale_fraction * config.epochs):
        return size
    height, width = (max(round(side * 0.75 / MULTIPLE), 1) * MULTIPLE for side in size)
    return height, width
