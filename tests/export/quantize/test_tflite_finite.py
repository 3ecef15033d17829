"""TFLite int8 of networks with infinite values: padded max-pools in int8, other operators on infinity in float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export import Calibration, prepare
from edgecnn.export.formats import to_tflite
from edgecnn.types import Array

CARD = ModelCard(
    name="net", task="classify", labels=("a", "b"), preprocess=Preprocess(size=(16, 16), std=(255.0,)), decode=Decode("softmax")
)


class Masked(nn.Module):
    """Softmax over what a mask leaves: always the first channel."""

    def forward(self, x: Tensor) -> Tensor:
        masked = x[:, 1:].masked_fill(x[:, 1:] < 0.1, float("-inf"))
        return torch.cat([x[:, :1], masked], 1).softmax(1)


class InfinitePad(nn.Module):
    """A max-pool whose padding is an operator of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.max_pool2d(nn.functional.pad(x, (1, 1, 1, 1), value=float("-inf")), 3, 2)


class NegativePool(nn.Module):
    """A padded max-pool of values that are all below zero: a pad of zero would win at the border."""

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = nn.functional.max_pool2d(-x - 0.5, 3, 2, 1)
        return pooled


def network(layer: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 8, 3, 1, 1), nn.Linear(8, 2)
    return nn.Sequential(first, nn.ReLU(), layer, nn.Conv2d(8, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


def run(path: Path, image: Array) -> Array:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    found: Array = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found


@pytest.mark.parametrize(
    "layer", [nn.MaxPool2d(3, 2, 1), NegativePool(), InfinitePad(), Masked()], ids=lambda layer: type(layer).__name__
)
def test_int8_is_near_the_network(layer: nn.Module, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(4)]
    prepared = prepare(network(layer), CARD)
    calibration = Calibration(images, "noise", force=True)
    to_tflite.save(prepared.lowered("tflite", "int8", calibration), tmp_path / "net.tflite")
    for feed in calibration.feeds(prepared.card):
        image: Any = feed["image"]
        with torch.no_grad():
            (wanted,) = prepared.graph(torch.from_numpy(image)).values()
        assert np.abs(run(tmp_path / "net.tflite", image) - wanted.numpy()).max() < 0.01
