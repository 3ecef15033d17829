"""Classification: cross-entropy with label smoothing (Inception v3, arXiv:1512.00567)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.train.augment import shift
from edgecnn.train.objective import generator, to_input
from edgecnn.train.options import TrainOptions
from edgecnn.train.pixels import Pixels
from edgecnn.types import Array, Image

SMOOTHING = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """Images with one label each."""

    pixels: Pixels
    preprocess: Preprocess
    options: TrainOptions

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        """Images and labels (B,)."""
        images = [self._image(int(index), epoch) for index in indices]
        return to_input(images, self.preprocess), torch.from_numpy(self.pixels.labels[indices])

    def _image(self, index: int, epoch: int) -> Image:
        image: Image = self.pixels.images[index]
        if not self.options.augment:
            return image
        return shift(image, generator(self.options.seed, epoch, index), self.options.flip)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        """Mean cross-entropy of the batch."""
        return F.cross_entropy(model(inputs).float(), truth.to(inputs.device), label_smoothing=SMOOTHING)
