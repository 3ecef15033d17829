"""A classifier that int8 breaks at one place: a tensor with a channel a thousand times larger than the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export import Calibration, evidence_of, prepare
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.reference import Evidence
from edgecnn.types import Image

SENSITIVE = {"wide", "mix"}  # the layers in front of and behind the tensor


class UnevenClassifier(nn.Module):
    """Says which of red, green and blue an image has most of; between ``wide`` and ``mix`` one channel is large.

    Only differences of the small channels tell the classes apart, and one scale of 8 bits for all channels rounds them away. The
    function between the two is ``relu``, over which channels can be rescaled, or one over which they can't be.
    """

    def __init__(self, *, homogeneous: bool) -> None:
        super().__init__()
        self.homogeneous = homogeneous
        self.early = _copies(3, 3, torch.eye(3))
        hue = 2 * torch.eye(3) - 0.7
        self.wide = _copies(3, 4, torch.cat([hue, torch.full((1, 3), 1000.0)]))
        self.mix = _copies(4, 8, torch.cat([torch.eye(4)[:3], torch.zeros(5, 4)]) + torch.tensor([0, 0, 0, 1e-3]))
        self.late = _copies(8, 24, torch.cat([torch.eye(8)] * 3))
        self.head = nn.Linear(24, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.cat([torch.eye(8)[:3]] * 3, 1) * 6)
            self.head.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 3)."""
        wide = self.wide(self.early(x))
        between = wide.relu() if self.homogeneous else wide.clamp(0.0, 1e5)
        logits: Tensor = self.head(self.late(self.mix(between).relu()).relu().mean((2, 3)))
        return logits


def _copies(inputs: int, outputs: int, matrix: Tensor) -> nn.Conv2d:
    """A 3x3 convolution that applies ``matrix`` to each pixel, with a little of its neighbours."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    kernel = torch.full((3, 3), 0.01)
    kernel[1, 1] = 1.0
    with torch.no_grad():
        layer.weight.copy_(matrix[:, :, None, None] * kernel)
        assert layer.bias is not None
        layer.bias.zero_()
    return layer


def tinted(count: int, seed: int) -> list[Image]:
    """Grainy images with a little more of one colour."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        image = rng.normal(rng.integers(60, 190), 25, (24, 24, 3))
        image[..., index % 3] += 30
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images


def uneven(*, homogeneous: bool) -> PreparedModel:
    """The classifier, prepared for export."""
    preprocess = Preprocess(size=(24, 24), resize="stretch", color="rgb", std=(255.0,))
    card = ModelCard(
        name="uneven", task="classify", labels=("red", "green", "blue"), preprocess=preprocess, decode=Decode("softmax")
    )
    return prepare(UnevenClassifier(homogeneous=homogeneous).eval(), card)


@pytest.fixture(scope="session")
def uneven_model() -> PreparedModel:
    return uneven(homogeneous=False)


@pytest.fixture(scope="session")
def uneven_calibration() -> Calibration:
    return Calibration(tinted(24, 1), "tinted noise", force=True)


@pytest.fixture(scope="session")
def uneven_evidence(uneven_model: PreparedModel) -> Evidence:
    return evidence_of(uneven_model, tinted(24, 2), "tinted noise")
