from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgecnn.compress.cost import cost_of, count_macs, count_parameters
from edgecnn.models import create

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("layer", "shape", "wanted"),
    [
        pytest.param(nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 12), 10 * 12 * 8 * 3 * 9, id="convolution"),
        pytest.param(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8), (1, 8, 10, 12), 5 * 6 * 8 * 9, id="depthwise"),
        pytest.param(nn.Linear(20, 7), (1, 20), 140, id="linear"),
        pytest.param(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU()), (1, 1, 4, 4), 32, id="norm-is-free"),
    ],
)
def test_layers_by_hand(layer: nn.Module, shape: tuple[int, ...], wanted: int) -> None:
    assert count_macs(layer, torch.zeros(shape)) == wanted


@pytest.mark.parametrize("name", ["resnet-s", "edgedet"])
def test_networks_against_torchs_own_counter(name: str) -> None:
    model = create(name).eval()
    image = torch.zeros(1, 1, 28, 28) if name == "resnet-s" else torch.zeros(1, 3, 64, 96)
    with FlopCounterMode(display=False) as counter:
        model(image)
    assert count_macs(model, image) * 2 == counter.get_total_flops()


def test_counting_changes_nothing() -> None:
    model = create("resnet-s").train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    count_macs(model, torch.rand(1, 1, 28, 28))
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(layer._forward_hooks for layer in model.modules())


def test_cost_of_a_checkpoint(untrained: Make) -> None:
    path = untrained("lecture")
    cost, card = cost_of(path)
    assert card.name == "lecture"
    assert cost.parameters == count_parameters(create("lecture"))
    assert cost.size_bytes == path.stat().st_size > 4 * cost.parameters
