"""Structured pruning: whole channels go, what depends on them goes with them, and a smaller dense network is left.

torch-pruning's dependency graph (Fang et al. 2023, arXiv:2301.12900) finds which channels belong together through residual sums,
depthwise convolutions, concatenations and flattening. Channels are ranked over the whole network by the size of all weights that
would go, or by a first-order estimate of what the loss would gain (Molchanov et al. 2019, arXiv:1906.10771), each relative to the
mean of its group.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.compress.channels import Network
from edgecnn.compress.cost import macs
from edgecnn.errors import InputError

SEARCHES = 12  # halvings of the part to prune: 1/4096 of it, finer than one channel of any network here
ROUND_TO = (8, 4)  # multiples of channels, best first
CLOSE = 0.99  # near enough to the wanted MACs to stop searching
LATENCY_SEARCHES = 6
SLACK = 0.9  # MACs to try next where the trained network is still too slow

Train = Callable[[nn.Module], nn.Module | None]


@dataclass(frozen=True, slots=True)
class Pruned:
    """A pruned network in eval mode, with the MACs of one image before and after; latency in milliseconds where one was asked for."""

    model: nn.Module
    macs_before: int
    macs_after: int
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which channels may go.

    A layer keeps a multiple of ``round_to`` channels, and at least the part ``keep`` of those it had. Without ``round_to`` that is 8,
    and 4 where 8 is too coarse for the target: engines compute 8 or more at once, and ONNX Runtime ran networks of as many MACs
    up to 17 % faster. Without ``keep`` it is half of what pruning all layers alike would leave, or a quarter, or as few as may be,
    whichever is the first to reach the target: a ranking over the whole network starves a layer now and then.
    ``gradients``, where given, is called with the model and leaves gradients of the training loss in its parameters: the ranking is
    then by what the loss would gain instead of by the size of the weights.
    """

    round_to: int | None = None
    keep: float | None = None
    gradients: Callable[[nn.Module], None] | None = None

    def __post_init__(self) -> None:
        if not (self.round_to is None or self.round_to >= 1) or not 0 <= (self.keep or 0) <= 1:
            raise ValueError(f"wanted round_to of 1 or more and keep of 0..1, found {self.round_to} and {self.keep}")

    def limits(self, part: float) -> Iterator[tuple[float, int]]:
        """``keep`` and ``round_to`` to try, best first, where ``part`` of the MACs is to be left: MACs go with the square of channels."""
        alike = math.sqrt(part)
        keeps = ((alike / 2, alike / 4), (0.0,)) if self.keep is None else ((self.keep,),)
        for group in keeps:
            for round_to in ROUND_TO if self.round_to is None else (self.round_to,):
                yield from ((keep, round_to) for keep in group)


def prune_to(
    model: nn.Module,
    example: Tensor,
    *,
    target_macs: int,
    train_some: Train,
    steps: int = 4,
    choice: Choice | None = None,
) -> Pruned:
    """Prune a copy of ``model`` in ``steps`` equal factors down to ``target_macs``, and ``train_some`` of it after each.

    ``example`` is an input (1, C, H, W). ``train_some`` trains the network it gets in place, or gives another of the same shapes.
    Raises ``InputError`` before any training where the target can't be met, saying how far pruning comes and what stops it.
    """
    if steps < 1:
        raise ValueError(f"wanted one step or more, found {steps}")
    choice = choice or Choice()
    before = macs(model, example)
    fewest = _smallest(model, example, target_macs / before, choice)
    if target_macs < fewest.macs:
        raise _too_far(f"{target_macs:,} MACs", f"{fewest.macs:,} of {before:,}", fewest)
    mine = copy.deepcopy(model)
    for target in _targets(before, target_macs, steps):
        mine = _pruned_to(mine, example, target, fewest, choice)
        mine = train_some(mine) or mine
    return Pruned(mine.eval(), before, macs(mine, example))


def prune_to_latency(
    model: nn.Module,
    example: Tensor,
    *,
    target_ms: float,
    latency_of: Callable[[nn.Module], float],
    train_some: Train,
    steps: int = 4,
    choice: Choice | None = None,
) -> Pruned:
    """Prune a copy of ``model`` until ``latency_of`` it, in milliseconds, is ``target_ms`` or less, as far as that takes and no further.

    How many MACs that is is found on networks that are pruned and not trained, whose latency is the same; what comes out is measured
    again, and pruned a little more where it is too slow. Raises ``InputError`` where the target can't be met, saying how far it came.
    """
    choice = choice or Choice()
    target = _macs_for(model, example, target_ms, latency_of, choice)
    before, fewest = macs(model, example), _smallest(model, example, 0.0, choice)
    while True:
        found = prune_to(model, example, target_macs=target, train_some=train_some, steps=steps, choice=choice)
        latency = latency_of(found.model)
        if latency <= target_ms or target <= fewest.macs:
            break
        model, steps, target = found.model, 1, max(int(found.macs_after * SLACK), fewest.macs)
    if latency > target_ms:
        raise _too_far(f"{target_ms:g} ms", f"{latency:.3g} ms at {found.macs_after:,} MACs", fewest)
    return Pruned(found.model, before, found.macs_after, latency)


def mark(card: ModelCard) -> ModelCard:
    """The card of a checkpoint that holds a pruned network: its tensors say how many channels each layer has."""
    return card.replace(model={**card.model, "pruned": True})


def _targets(before: int, target: int, steps: int) -> Iterator[int]:
    """MACs after each step, each the same part of the last."""
    for step in range(1, steps):
        yield round(before * (target / before) ** (step / steps))
    yield target


@dataclass(frozen=True, slots=True)
class _Smallest:
    """What is left where pruning can go no further: MACs, channels of each group, layers that stay; multiples of ``round_to``."""

    macs: int
    floors: dict[str, int]
    fixed: tuple[str, ...]
    round_to: int


def _smallest(model: nn.Module, example: Tensor, part: float, choice: Choice) -> _Smallest:
    """How far pruning can go, for ``part`` of the MACs: with the first of the choice's floors that reaches it, else the last."""
    before = macs(model, example)
    for keep, round_to in choice.limits(part):
        mine = copy.deepcopy(model)
        network = Network(mine, example)
        floors = network.floors(keep, round_to)
        network.prune(1.0, floors, round_to)
        found = _Smallest(macs(mine, example), floors, network.fixed, round_to)
        if found.macs <= part * before:
            break
    return found


def _too_far(wanted: str, found: str, fewest: _Smallest) -> InputError:
    stops = f"{len(fewest.floors)} groups of channels at their fewest"
    if fewest.fixed:
        stops += f", and {len(fewest.fixed)} layers that must stay as they are, such as {fewest.fixed[0]}"
    return InputError(f"a network of {wanted}", f"no way below {found}, with {stops}", "choose a target above that")


def _pruned_to(model: nn.Module, example: Tensor, target: int, fewest: _Smallest, choice: Choice) -> nn.Module:
    """A copy of ``model`` with as many channels as ``target`` MACs allow."""
    ranked = copy.deepcopy(model)
    if choice.gradients is not None:
        ranked.zero_grad()
        choice.gradients(ranked)

    def part(share: float) -> tuple[nn.Module, int]:
        mine = _with_gradients(ranked)
        Network(mine, example, taylor=choice.gradients is not None).prune(share, fewest.floors, fewest.round_to)
        mine.zero_grad()
        return mine, macs(mine, example)

    low, high = 0.0, 1.0
    best, _ = part(high)
    for _ in range(SEARCHES):
        middle = (low + high) / 2
        found, cost = part(middle)
        if cost > target:
            low = middle
            continue
        best, high = found, middle
        if cost > CLOSE * target:
            break
    return best


def _with_gradients(model: nn.Module) -> nn.Module:
    """A copy with the gradients, which deepcopy leaves behind; zero where the loss does not reach a weight."""
    mine = copy.deepcopy(model)
    for own, other in zip(mine.parameters(), model.parameters(), strict=True):
        own.grad = torch.zeros_like(other) if other.grad is None else other.grad.clone()
    return mine


def _macs_for(
    model: nn.Module, example: Tensor, target_ms: float, latency_of: Callable[[nn.Module], float], choice: Choice
) -> int:
    """The most MACs with which the network keeps ``target_ms``, by measuring networks between the one given and the smallest."""
    whole, fewest = macs(model, example), _smallest(model, example, 0.0, choice)

    def latency_at(target: int) -> float:
        return latency_of(_pruned_to(model, example, target, _smallest(model, example, target / whole, choice), choice))

    if latency_of(model) <= target_ms:
        return whole
    low, high = fewest.macs, whole
    latency = latency_at(low)
    if latency > target_ms:
        raise _too_far(f"{target_ms:g} ms", f"{latency:.3g} ms at {low:,} MACs", fewest)
    for _ in range(LATENCY_SEARCHES):
        middle = round(math.sqrt(low * high))
        if latency_at(middle) <= target_ms:
            low = middle
        else:
            high = middle
    return low
