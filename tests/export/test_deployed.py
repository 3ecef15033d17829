"""Detectors that return more than their decoder reads are exported in the form that is deployed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export.deployed import deployed, line
from edgecnn.types import TensorSpec

SIZE, BINS, CLASSES = 64, 4, 2
GRIDS = (8, 4, 2)
CELLS = 64 + 16 + 4


def card(**changes: Any) -> ModelCard:
    made = ModelCard(
        name="net",
        task="detect",
        labels=("a", "b"),
        preprocess=Preprocess((SIZE, SIZE), std=(255.0,)),
        decode=Decode("yolo"),
        inputs=(TensorSpec("image", (1, 3, SIZE, SIZE), "float32", "NCHW"),),
    )
    return made.replace(**changes)


class Returning(nn.Module):
    """Gives tensors of fixed shapes, filled with distinct numbers."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def forward(self, image: Tensor) -> Any:
        return self.make()


def maps(channels: int = 4 * BINS + CLASSES) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, channels, side, side, generator=generator) for side in GRIDS]


IMAGE = torch.zeros(1, 3, SIZE, SIZE)


@pytest.mark.parametrize("shape", [(1, 4 + CLASSES, CELLS), (1, CELLS, 4 + CLASSES), (1, 300, 6)])
def test_decoded_boxes_are_taken_and_raw_maps_are_left_out(shape: tuple[int, ...]) -> None:
    boxes = torch.rand(shape)
    model, noted = deployed(Returning(lambda: (boxes, {"feats": maps()})), card())
    assert torch.equal(model(IMAGE), boxes)
    shown = "x".join(map(str, shape))
    assert line(noted).startswith(f"head: output 1 of 4 is taken, {shown}; not taken: 1x18x8x8, 1x18x4x4")


def test_raw_maps_are_decoded_in_the_graph() -> None:
    given = maps()
    # the order of the outputs does not matter
    model, noted = deployed(Returning(lambda: [given[1], given[0], given[2]]), card())
    found = model(IMAGE).numpy()
    assert found.shape == (1, 4 + CLASSES, CELLS)
    np.testing.assert_allclose(found[0].T, decoded(given), rtol=1e-4, atol=1e-4)
    assert "decoded in the graph" in line(noted)
    assert f"distributions of {BINS} distances" in line(noted)


def decoded(given: list[Tensor]) -> Any:
    """The same formula cell by cell."""
    rows = []
    for side, tensor in zip(GRIDS, given, strict=True):
        stride, array = SIZE // side, tensor[0].numpy()
        for row in range(side):
            for column in range(side):
                parts = np.exp(array[: 4 * BINS, row, column].reshape(4, BINS))
                left, top, right, bottom = (parts / parts.sum(1, keepdims=True)) @ np.arange(BINS) * stride
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                box = [x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom]
                rows.append([*box, *(1 / (1 + np.exp(-array[4 * BINS :, row, column])))])
    return np.array(rows)


@pytest.mark.parametrize("make", [lambda: torch.rand(1, 4 + CLASSES, CELLS), lambda: [torch.rand(1, 7, 7)] * 2, lambda: maps(5)])
def test_other_models_stay_as_they_are(make: Any) -> None:
    net = Returning(make)
    model, noted = deployed(net, card())
    assert model is net
    assert line(noted) == ""


def test_a_model_that_does_not_run_is_left_for_the_export_to_report() -> None:
    net = nn.Linear(3, 3)
    assert deployed(net, card())[0] is net


def test_a_yolox_with_its_own_rows_is_taken() -> None:
    rows = torch.rand(1, CELLS, 5 + CLASSES)
    model, _ = deployed(Returning(lambda: (maps()[0], rows)), card(decode=Decode("yolox")))
    assert torch.equal(model(IMAGE), rows)
