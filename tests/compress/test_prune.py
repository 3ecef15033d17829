"""Pruning: a smaller dense network of the wanted cost, which lost what was worth least and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgecnn.compress.channels import PruningGraph
from edgecnn.compress.cost import count_macs
from edgecnn.compress.prune import PruneConfig, prune_to, prune_to_latency
from edgecnn.errors import InputError
from edgecnn.models import create
from edgecnn.models.quantized import insert_fake_quant

SMALL: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "lecture": ({"size": (16, 16)}, (1, 1, 16, 16)),
    "resnet-s": ({"widths": (8, 16, 24), "size": (16, 16)}, (1, 1, 16, 16)),
    "resnet-8": ({"size": (16, 16)}, (1, 3, 16, 16)),
    "mobilenet": ({"size": (16, 16), "width": 0.25}, (1, 3, 16, 16)),
    "edgedet": (
        {"size": (64, 64), "widths": (8, 16, 16, 24, 32), "depths": (1, 1, 1, 1), "neck": 16, "head_depth": 1},
        (1, 3, 64, 64),
    ),
}


def network(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    options, shape = SMALL[name]
    return create(name, **options).eval(), torch.rand(shape)


def outputs(model: nn.Module, example: Tensor) -> list[Tensor]:
    with torch.no_grad():
        found: Any = model(example)
    return list(found) if isinstance(found, tuple) else [found]


def nothing(model: nn.Module) -> None:
    """No training."""


@pytest.mark.parametrize("name", SMALL)
def test_the_cost_is_met_by_a_dense_network_with_the_same_outputs(name: str) -> None:
    model, example = network(name)
    before = copy.deepcopy(model.state_dict())
    found = prune_to(model, example, target_macs=count_macs(model, example) // 2, finetune=nothing, rounds=2)
    assert found.macs_after == count_macs(found.model, example) <= found.macs_before // 2
    assert found.macs_after > found.macs_before // 4
    assert [o.shape for o in outputs(found.model, example)] == [o.shape for o in outputs(model, example)]
    assert all(weight.abs().sum(tuple(range(1, weight.ndim))).all() for weight in found.model.parameters() if weight.ndim > 1)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("keep", "fewest"),
    [
        pytest.param(0.3, {8: 4, 16: 8, 24: 8}, id="up-to-the-next-multiple"),
        pytest.param(0.5, {8: 4, 16: 8, 24: 12}, id="multiples"),
        pytest.param(0.01, {8: 4, 16: 4, 24: 4}, id="at-least-one-multiple"),
        pytest.param(1.0, {8: 8, 16: 16, 24: 24}, id="all"),
    ],
)
def test_the_fewest_channels_of_a_group_are_rounded_up(keep: float, fewest: dict[int, int]) -> None:
    graph = PruningGraph(*network("resnet-s"))
    found = graph.min_channels(keep, 4)
    assert {len(group.importance): found[group.name] for group in graph.groups} == fewest


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("lecture", "mobilenet")])
def test_channels_are_multiples_of_four(name: str) -> None:
    model, example = network(name)
    found = prune_to(model, example, target_macs=count_macs(model, example) // 2, finetune=nothing, rounds=1)
    layers = [layer for layer in found.model.modules() if isinstance(layer, nn.Conv2d) and layer.bias is None]
    assert {layer.out_channels % 4 for layer in layers} == {0}


def test_channels_without_effect_are_pruned_first_and_the_output_stays() -> None:
    """A residual network, half of whose channels are zero from end to end, gives the same numbers without them."""
    model, example = network("resnet-s")
    for name, parameter in model.named_parameters():
        if "head" not in name:
            parameter.data[: len(parameter) // 2] = 0
    expected = outputs(model, example)[0]
    found = prune_to(
        model,
        example,
        target_macs=int(0.3 * count_macs(model, example)),
        finetune=nothing,
        rounds=1,
        config=PruneConfig(keep=0.5),
    )
    torch.testing.assert_close(outputs(found.model, example)[0], expected, rtol=1e-4, atol=1e-5)
    assert found.model.get_parameter("stages.5.first.0.weight").shape[:2] == (12, 12)


def test_shortcuts_that_pad_channels_keep_theirs() -> None:
    model, example = network("resnet-8")
    found = prune_to(model, example, target_macs=count_macs(model, example) // 2, finetune=nothing, rounds=1)
    shapes = {name: tuple(tensor.shape) for name, tensor in found.model.named_parameters()}
    assert [shapes[f"{name}.0.weight"][0] for name in ("stem", "stages.1.second", "stages.2.second")] == [16, 32, 64]
    assert shapes["stages.2.first.0.weight"][0] < 64


def test_training_comes_after_each_step_and_its_network_goes_on() -> None:
    model, example = network("lecture")
    costs: list[int] = []

    def train(pruned: nn.Module) -> nn.Module:
        costs.append(count_macs(pruned, example))
        other = copy.deepcopy(pruned)
        other.get_parameter("head.3.bias").data.fill_(len(costs))
        return other

    found = prune_to(
        model, example, target_macs=count_macs(model, example) // 4, finetune=train, rounds=3, config=PruneConfig(round_to=1)
    )
    assert len(costs) == 3
    assert sorted(costs, reverse=True) == costs
    assert set(found.model.get_parameter("head.3.bias").tolist()) == {3.0}


def test_ranking_by_gradients_keeps_what_the_loss_needs() -> None:
    """Small weights that the loss hangs on stay where gradients are asked, and go where size alone counts."""
    first, last = nn.Conv2d(1, 8, 3), nn.Linear(8, 2)
    first.weight.data.fill_(1.0)
    first.weight.data[:4] = 0.5
    last.weight.data.fill_(0.1)
    net = nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last).eval()
    example = torch.ones(1, 1, 8, 8)

    def only_the_small(model: nn.Module) -> None:
        model.get_submodule("0")(example)[:, :4].sum().backward()

    options: dict[str, Any] = {"target_macs": int(0.6 * count_macs(net, example)), "finetune": nothing, "rounds": 1}
    by_size = prune_to(net, example, **options).model
    by_loss = prune_to(net, example, **options, config=PruneConfig(gradients=only_the_small)).model
    assert float(by_size.get_parameter("0.weight").data.max()) == 1.0
    assert float(by_loss.get_parameter("0.weight").data.max()) == 0.5


def test_a_target_out_of_reach_is_refused_before_any_training() -> None:
    model, example = network("resnet-8")

    def never(pruned: nn.Module) -> None:
        raise AssertionError("trained for nothing")

    with pytest.raises(
        InputError, match=r"1,000 MACs are out of reach: pruning ends at [\d,]+ of [\d,]+, with 3 groups"
    ) as caught:
        prune_to(model, example, target_macs=1000, finetune=never)
    assert "2 layers that can't be pruned, such as head.2" in str(caught.value)


def test_a_network_trained_for_int8_is_not_pruned_any_more() -> None:
    model, example = network("lecture")
    with pytest.raises(InputError, match="trained for int8 and can't be pruned; prune first, and use --qat last"):
        prune_to(insert_fake_quant(model, example), example, target_macs=1000, finetune=nothing)


def test_a_latency_is_met_and_not_by_more_than_it_takes() -> None:
    model, example = network("lecture")

    def latency(pruned: nn.Module) -> float:
        return count_macs(pruned, example) / 1e5

    whole = latency(model)
    found = prune_to_latency(
        model,
        example,
        target_ms=0.6 * whole,
        latency_of=latency,
        finetune=nothing,
        rounds=1,
        config=PruneConfig(round_to=1),
    )
    assert found.latency_ms == latency(found.model) <= 0.6 * whole
    assert found.latency_ms > 0.4 * whole


def test_a_latency_out_of_reach_names_the_smallest_one() -> None:
    model, example = network("lecture")
    with pytest.raises(InputError, match=r"1 ms are out of reach: pruning ends at 5 ms at [\d,]+ MACs"):
        prune_to_latency(model, example, target_ms=1, latency_of=lambda _: 5.0, finetune=nothing)


def test_a_network_that_is_slower_after_training_is_pruned_further() -> None:
    """Measured on copies that were not trained, 60 % fits; the trained one, a little slower each time, needs less."""
    model, example = network("lecture")
    whole, trained = count_macs(model, example), []

    def train(pruned: nn.Module) -> None:
        trained.append(count_macs(pruned, example))
        pruned.slower = 1.2  # type: ignore[assignment]

    found = prune_to_latency(
        model,
        example,
        target_ms=0.6,
        latency_of=lambda net: count_macs(net, example) / whole * float(getattr(net, "slower", 1.0)),
        finetune=train,
        rounds=1,
        config=PruneConfig(round_to=1),
    )
    assert found.latency_ms is not None
    assert found.latency_ms <= 0.6
    assert len(trained) > 1
