"""Quantization-aware training: a network learns through the rounding of int8, and takes the ranges it learnt along into every file.

``prepare`` puts the roundings into a network and sets their ranges by a few batches; then it is trained as any other, with a low
learning rate; ``finish`` fixes the ranges. A checkpoint saved anywhere on the way, with a card that went through ``mark``, is whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.models.fake_quant import FakeQuant
from edgecnn.models.quantized import Quantized, quantized

SAMPLE = 4096  # activations of one place kept from each batch to choose its range by
SHRINK, TRIES = 0.92, 40  # from the lowest and highest value seen to a thirtieth of them


def prepare(model: nn.Module, card: ModelCard, batches: Iterable[Tensor]) -> Quantized:
    """A copy of ``model`` on the CPU that rounds as int8 does; ``model`` stays as it is.

    ``batches`` are inputs (B, C, H, W) float32 of the training images, preprocessed as ``card`` says; a few hundred images do. The
    ranges start where rounding changes the activations of these least, in the mean square.
    Raises ``InputError`` for a network that rounds already, can't be traced, or without any batch.
    """
    if isinstance(model, Quantized):
        raise InputError(
            "a network to prepare for int8", f"{card.name}, which was trained for it", "start from its float checkpoint"
        )
    net = quantized(model, torch.zeros((1, card.preprocess.channels, *card.preprocess.size)))
    seen = [
        {name: _sampled(net.points[name], value) for name, value in net.values(partial(net, batch)).items()}
        for batch in _cpu(batches)
    ]
    if not seen:
        raise InputError("training images to set ranges by", "none", "give some batches")
    for name, point in net.points.items():
        _settle(point, torch.cat([values[name] for values in seen]))
    return net


def finish(model: nn.Module) -> tuple[Quantized, dict[str, Any]]:
    """The trained network in eval mode with its ranges fixed, and what a card says of them; its outputs do not change.

    Raises ``ValueError`` for a network that ``prepare`` did not make.
    """
    if not isinstance(model, Quantized):
        raise ValueError(f"wanted a network made by qat.prepare, found {type(model).__name__}: prepare and train it first")
    for point in model.points.values():
        point.fix()
    return model.eval(), {"weights": "int8 per channel", "activations": "uint8 per tensor", "ranges": len(model.points)}


def mark(card: ModelCard, record: dict[str, Any] | None = None) -> ModelCard:
    """The card of a checkpoint that holds such a network; ``record`` is what ``finish`` gave."""
    return card.replace(model={**card.model, "quantized": record or True})


def _cpu(batches: Iterable[Tensor]) -> Iterable[Tensor]:
    return (batch.detach().float().cpu() for batch in itertools.islice(batches, 64))


def _sampled(point: FakeQuant, value: Tensor) -> Tensor:
    """Evenly spaced activations, which hold hardly ever what is rarer than one in a hundred thousand; of an answer its extremes too."""
    flat = value.reshape(-1)
    step = max(flat.numel() // SAMPLE, 1)
    extremes = [flat.min()[None], flat.max()[None]] if point.answer else []
    return torch.cat([flat[step // 2 :: step], *extremes])


def _settle(point: FakeQuant, values: Tensor) -> None:
    """Choose the ends with the least mean square error among ever narrower ones; of an answer the widest."""
    low, high = float(values.min()), float(values.max())
    found = []
    for turn in range(1 if point.answer else TRIES):
        point.set(low * SHRINK**turn, high * SHRINK**turn)
        with torch.no_grad():
            found.append(float((point(values) - values).square().mean()))
    best = SHRINK ** found.index(min(found))
    point.set(low * best, high * best)
