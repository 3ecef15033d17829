"""Structured pruning: removes whole channels and everything that depends on them, which leaves a smaller dense network.

torch-pruning's dependency graph (Fang et al. 2023, arXiv:2301.12900) finds the coupled channels through residual sums, depthwise
convolutions, concatenations and flattening. Channels are ranked over the whole network by the magnitude of all weights that would be
removed, or by a first-order estimate of the increase of the loss (Molchanov et al. 2019, arXiv:1906.10771), each relative to the mean
of its group.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.compress.channels import PruningGraph
from edgecnn.compress.cost import count_macs
from edgecnn.errors import InputError

BISECTIONS = 12  # of the fraction to prune: to 1/4096, finer than one channel of any network here
ROUND_TO = (8, 4)  # multiples of channels, best first
TOLERANCE = 0.99  # of the target MACs: near enough to stop the bisection
LATENCY_BISECTIONS = 6
NEXT_MACS = 0.9  # fraction of the MACs to try next where the trained network is still too slow

Finetune = Callable[[nn.Module], nn.Module | None]


@dataclass(frozen=True, slots=True)
class PruneResult:
    """A pruned network in eval mode, with the MACs of one image before and after, and the latency where that was the target."""

    model: nn.Module
    macs_before: int
    macs_after: int
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneConfig:
    """Limits on the channels that may be removed.

    A layer keeps a multiple of ``round_to`` channels, and at least the fraction ``keep`` of those it had. The default of ``round_to`` is
    8, and 4 where 8 is too coarse for the target: engines compute 8 or more channels at once, and ONNX Runtime ran networks of equal MACs
    up to 17 % faster. The default of ``keep`` is half of what uniform pruning would leave, a quarter of it, or none, whichever is the
    first to reach the target: a global ranking alone now and then removes nearly all channels of a layer.
    ``gradients``, where given, is called with the model and leaves gradients of the training loss in its parameters: the ranking is
    then by the estimated increase of the loss instead of by magnitude.
    Raises ``ValueError`` for a ``round_to`` below 1 or a ``keep`` outside 0..1.
    """

    round_to: int | None = None
    keep: float | None = None
    gradients: Callable[[nn.Module], None] | None = None

    def __post_init__(self) -> None:
        if not (self.round_to is None or self.round_to >= 1) or not 0 <= (self.keep or 0) <= 1:
            raise ValueError(f"round_to must be 1 or more and keep 0..1, not {self.round_to} and {self.keep}")

    def limits(self, fraction: float) -> Iterator[tuple[float, int]]:
        """``keep`` and ``round_to`` to try, best first, where ``fraction`` of the MACs is to remain."""
        uniform = math.sqrt(fraction)  # MACs are proportional to inputs times outputs, the square of a width factor
        keeps = ((uniform / 2, uniform / 4), (0.0,)) if self.keep is None else ((self.keep,),)
        for group in keeps:
            for round_to in ROUND_TO if self.round_to is None else (self.round_to,):
                yield from ((keep, round_to) for keep in group)


def prune_to(
    model: nn.Module,
    example: Tensor,
    *,
    target_macs: int,
    finetune: Finetune,
    rounds: int = 4,
    config: PruneConfig | None = None,
) -> PruneResult:
    """Prune a copy of ``model`` to ``target_macs`` in ``rounds`` rounds of equal factors, with ``finetune`` after each.

    ``example`` is an input (1, C, H, W). ``finetune`` trains the network it gets in place, or gives another of the same shapes.
    Raises ``InputError`` before any training where the target is out of reach, with the smallest possible network and what limits it.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more, not {rounds}")
    config = config or PruneConfig()
    before = count_macs(model, example)
    smallest = _smallest(model, example, target_macs / before, config)
    if target_macs < smallest.macs:
        raise _out_of_reach(f"{target_macs:,} MACs", f"{smallest.macs:,} of {before:,}", smallest)
    mine = copy.deepcopy(model)
    for target in _targets(before, target_macs, rounds):
        mine = _pruned_to(mine, example, target, smallest, config)
        mine = finetune(mine) or mine
    return PruneResult(mine.eval(), before, count_macs(mine, example))


def prune_to_latency(
    model: nn.Module,
    example: Tensor,
    *,
    target_ms: float,
    latency_of: Callable[[nn.Module], float],
    finetune: Finetune,
    rounds: int = 4,
    config: PruneConfig | None = None,
) -> PruneResult:
    """Prune a copy of ``model`` until ``latency_of`` it, in milliseconds, is ``target_ms`` or less, and no further than that.

    The MACs that take this long are searched with networks that are pruned but not trained, whose latency is the same; the result is
    measured again, and pruned a little more where it is too slow. Raises ``InputError`` where the target is out of reach.
    """
    config = config or PruneConfig()
    target = _macs_for(model, example, target_ms, latency_of, config)
    before, smallest = count_macs(model, example), _smallest(model, example, 0.0, config)
    while True:
        found = prune_to(model, example, target_macs=target, finetune=finetune, rounds=rounds, config=config)
        latency_ms = latency_of(found.model)
        if latency_ms <= target_ms or target <= smallest.macs:
            break
        model, rounds, target = found.model, 1, max(int(found.macs_after * NEXT_MACS), smallest.macs)
    if latency_ms > target_ms:
        raise _out_of_reach(f"{target_ms:g} ms", f"{latency_ms:.3g} ms at {found.macs_after:,} MACs", smallest)
    return PruneResult(found.model, before, found.macs_after, latency_ms)


def mark_pruned(card: ModelCard) -> ModelCard:
    """The card of a checkpoint that holds a pruned network: the shapes of its tensors give the channels of each layer."""
    return card.replace(model={**card.model, "pruned": True})


def _targets(before: int, target: int, rounds: int) -> Iterator[int]:
    """MACs after each round, a geometric series."""
    for number in range(1, rounds):
        yield round(before * (target / before) ** (number / rounds))
    yield target


@dataclass(frozen=True, slots=True)
class _Smallest:
    """The smallest network that pruning can reach: its MACs, channels of each group, and layers that can't be pruned."""

    macs: int
    min_channels: dict[str, int]
    fixed: tuple[str, ...]
    round_to: int


def _smallest(model: nn.Module, example: Tensor, fraction: float, config: PruneConfig) -> _Smallest:
    """The smallest network for ``fraction`` of the MACs: with the first of the config's limits that reaches it, else the last."""
    before = count_macs(model, example)
    for keep, round_to in config.limits(fraction):
        mine = copy.deepcopy(model)
        graph = PruningGraph(mine, example)
        min_channels = graph.min_channels(keep, round_to)
        graph.prune(1.0, min_channels, round_to)
        found = _Smallest(count_macs(mine, example), min_channels, graph.fixed, round_to)
        if found.macs <= fraction * before:
            break
    return found


def _out_of_reach(target: str, reached: str, smallest: _Smallest) -> InputError:
    limits = f"{len(smallest.min_channels)} groups of channels at their minimum"
    if smallest.fixed:
        limits += f" and {len(smallest.fixed)} layers that can't be pruned, such as {smallest.fixed[0]}"
    return InputError(f"{target} are out of reach: pruning ends at {reached}, with {limits}", "choose a larger target")


def _pruned_to(model: nn.Module, example: Tensor, target: int, smallest: _Smallest, config: PruneConfig) -> nn.Module:
    """A copy of ``model`` with as many channels as ``target`` MACs allow."""
    ranked = copy.deepcopy(model)
    if config.gradients is not None:
        ranked.zero_grad()
        config.gradients(ranked)

    def pruned(fraction: float) -> tuple[nn.Module, int]:
        mine = _with_gradients(ranked)
        graph = PruningGraph(mine, example, taylor=config.gradients is not None)
        graph.prune(fraction, smallest.min_channels, smallest.round_to)
        mine.zero_grad()
        return mine, count_macs(mine, example)

    # Bisection: MACs fall with the fraction that is pruned, but in steps, since channels go in multiples of ``round_to``.
    low, high = 0.0, 1.0
    best, _ = pruned(high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found, macs = pruned(middle)
        if macs > target:
            low = middle
            continue
        best, high = found, middle
        if macs > TOLERANCE * target:
            break
    return best


def _with_gradients(model: nn.Module) -> nn.Module:
    """A copy with gradients, which deepcopy drops; zero for weights that the loss does not depend on."""
    mine = copy.deepcopy(model)
    for own, other in zip(mine.parameters(), model.parameters(), strict=True):
        own.grad = torch.zeros_like(other) if other.grad is None else other.grad.clone()
    return mine


def _macs_for(
    model: nn.Module, example: Tensor, target_ms: float, latency_of: Callable[[nn.Module], float], config: PruneConfig
) -> int:
    """The most MACs with a latency of at most ``target_ms``, by bisection between the given and the smallest network."""
    whole, smallest = count_macs(model, example), _smallest(model, example, 0.0, config)

    def latency_at(target: int) -> float:
        return latency_of(_pruned_to(model, example, target, _smallest(model, example, target / whole, config), config))

    if latency_of(model) <= target_ms:
        return whole
    low, high = smallest.macs, whole
    latency_ms = latency_at(low)
    if latency_ms > target_ms:
        raise _out_of_reach(f"{target_ms:g} ms", f"{latency_ms:.3g} ms at {low:,} MACs", smallest)
    for _ in range(LATENCY_BISECTIONS):
        middle = round(math.sqrt(low * high))  # the geometric mean: targets are factors such as 4x
        if latency_at(middle) <= target_ms:
            low = middle
        else:
            high = middle
    return low
