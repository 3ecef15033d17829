"""Quantization-aware training (QAT): trains a network with fake quantization; every export uses the trained ranges.

``prepare`` inserts the fake quantization and calibrates its ranges on a few batches; then the network is trained as any other, with a
low learning rate; ``finish`` freezes the ranges. A checkpoint can be saved at any point, with a card from ``mark_quantized``.
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
from edgecnn.models.quantized import QuantizedModel, insert_fake_quant

SAMPLES = 4096  # activations of each quantization point kept from each batch to calibrate its range
MAX_BATCHES = 64  # of an iterator that may be endless
SHRINK, TRIES = 0.92, 40  # ranges that are tried: from the minimum and maximum down to 0.92 ** 39, a 26th of them


def prepare(model: nn.Module, card: ModelCard, batches: Iterable[Tensor]) -> QuantizedModel:
    """A copy of ``model`` on the CPU with fake quantization; ``model`` is unchanged.

    ``batches`` are inputs (B, C, H, W) float32 of training images, preprocessed as ``card`` says; a few hundred images are enough. The
    initial ranges minimize the mean squared error of the rounded activations.
    Raises ``InputError`` for a network that is quantized already or can't be traced, or where there is no batch.
    """
    if isinstance(model, QuantizedModel):
        raise InputError(f"{card.name} is trained for int8 already", "start from its float checkpoint")
    net = insert_fake_quant(model, torch.zeros((1, card.preprocess.channels, *card.preprocess.size)))
    seen = [
        {name: _sampled(net.points[name], value) for name, value in net.values(partial(net, batch)).items()}
        for batch in _cpu(batches)
    ]
    if not seen:
        raise InputError("there are no training images to calibrate the ranges on", "give some batches")
    for name, point in net.points.items():
        _calibrate(point, torch.cat([values[name] for values in seen]))
    return net


def finish(model: nn.Module) -> tuple[QuantizedModel, dict[str, Any]]:
    """The trained network in eval mode with its ranges frozen, and their record for a card; its outputs do not change.

    Raises ``ValueError`` for a network that ``prepare`` did not make.
    """
    if not isinstance(model, QuantizedModel):
        raise ValueError(f"a {type(model).__name__} was not made by qat.prepare")
    for point in model.points.values():
        point.fix()
    return model.eval(), {"weights": "int8 per channel", "activations": "uint8 per tensor", "ranges": len(model.points)}


def mark_quantized(card: ModelCard, record: dict[str, Any] | None = None) -> ModelCard:
    """The card of a checkpoint that holds a quantized network; ``record`` is from ``finish``."""
    return card.replace(model={**card.model, "quantized": record or True})


def _cpu(batches: Iterable[Tensor]) -> Iterable[Tensor]:
    return (batch.detach().float().cpu() for batch in itertools.islice(batches, MAX_BATCHES))


def _sampled(point: FakeQuant, value: Tensor) -> Tensor:
    """Evenly spaced activations, without nearly all rare outliers, which would only widen a range; of an output its extremes too."""
    flat = value.reshape(-1)
    step = max(flat.numel() // SAMPLES, 1)
    extremes = [flat.min()[None], flat.max()[None]] if point.is_output else []
    return torch.cat([flat[step // 2 :: step], *extremes])


def _calibrate(point: FakeQuant, values: Tensor) -> None:
    """Set the range with the least mean squared error among ever narrower ones; of an output the widest."""
    # Clipping a few outliers costs less than a coarser grid for everything else. An output must not be clipped: only some formats
    # round it, and the others would differ.
    low, high = float(values.min()), float(values.max())
    found = []
    for turn in range(1 if point.is_output else TRIES):
        point.set(low * SHRINK**turn, high * SHRINK**turn)
        with torch.no_grad():
            found.append(float((point(values) - values).square().mean()))
    best = SHRINK ** found.index(min(found))
    point.set(low * best, high * best)
