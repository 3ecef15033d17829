"""Models built by `package.module:factory`, with weights loaded from a file; code inside a weights file is never run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from edgecnn.errors import InputError
from edgecnn.export.inference_check import all_same, check_inference, flatten, same
from edgecnn.export.weights_record import FACTORY, RANDOM
from edgecnn.models.factories import build_model
from edgecnn.models.fit_weights import LoadedWeights, load_weights_file
from edgecnn.models.misfit import listed


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model in eval mode with its weights, the SHA-256 of their file ("" without one), and their origin for the card."""

    model: nn.Module
    sha256: str
    record: dict[str, Any]


def load(target: str, weights: Path | None, key: str, *shapes: tuple[int, ...]) -> BuiltModel:
    """The model of a factory for inputs of ``shapes``, filled with ``weights``.

    It is made twice: what differs between the two is left to chance. With weights that is refused, without it is told.
    Raises ``InputError`` as ``build_model`` and ``load_weights`` do.
    """
    model, twin = (_with_layers_made(build_model(target), shapes) for _ in range(2))
    if weights is None:
        return BuiltModel(model, "", {"source": RANDOM if _differing(model, twin) else FACTORY})
    loaded, digest = load_weights(model, weights, key)
    load_weights(twin, weights, key)
    _check_nothing_random(target, model, twin, shapes)
    return BuiltModel(model, digest, loaded.record())


def _with_layers_made(model: nn.Module, shapes: Sequence[tuple[int, ...]]) -> nn.Module:
    """``model``, run once if it has layers that take their shapes from the first input."""
    if any(is_lazy(value) for value in (*model.parameters(), *model.buffers())):
        with torch.no_grad(), suppress(Exception):  # what is wrong with the input is said when the model is exported
            model(*(torch.zeros(shape) for shape in shapes))
        if any(is_lazy(value) for value in (*model.parameters(), *model.buffers())):
            raise InputError("the model has lazy layers that its input does not make", "give the input of the model with --input")
    return model


def _differing(model: nn.Module, twin: nn.Module) -> list[str]:
    """Names of parameters and buffers, also those that no state dict holds, that differ."""
    other = dict(_tensors(twin))
    return [name for name, value in _tensors(model) if name in other and not same(value, other[name])]


def _tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, value.detach()) for name, value in (*model.named_parameters(), *model.named_buffers())]


def _check_nothing_random(target: str, model: nn.Module, twin: nn.Module, shapes: Sequence[tuple[int, ...]]) -> None:
    inputs = [torch.rand(shape, generator=torch.Generator().manual_seed(0)) for shape in shapes]
    try:
        with torch.no_grad():
            outputs = [flatten(one(*inputs)) for one in (model, twin)]
    except InputError:
        raise
    except Exception:  # a model that does not take this input is refused later, with the reason
        return
    if not all_same(*outputs):
        check_inference(model, *shapes)  # a forward pass that is random itself has its own message
        names = _differing(model, twin)
        raise InputError(
            f"{target}() leaves numbers to chance that are not in --weights{f' ({listed(names)})' if names else ''}: "
            "made twice, the model gives two outputs",
            "make them parameters or buffers of the state dict, or give them fixed values",
        )


def load_weights(model: nn.Module, path: Path, key: str = "") -> tuple[LoadedWeights, str]:
    """Fill ``model`` with the weights at ``path`` (.safetensors, or of torch.save); what was taken, and the file's sha256.

    ``key`` names a dictionary in the file. Raises ``InputError`` for a missing or broken file, and for weights that do not fit.
    """
    try:
        return load_weights_file(model, path, key), hashlib.sha256(path.read_bytes()).hexdigest()
    except InputError as error:
        raise InputError(f"--weights: {error.problem}", error.fix) from error
