"""Models by name: `create("resnet-s", classes=10)`; each is imported only when it is asked for."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgecnn.card import Task
from edgecnn.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from torch import nn

MODELS: dict[str, str] = {
    "mlp": "edgecnn.models.mlp:Mlp",
    "lecture": "edgecnn.models.lecture:Lecture",
    "resnet-s": "edgecnn.models.resnet:ResNetS",
    "edgedet": "edgecnn.models.edgedet:EdgeDet",
}


def names() -> tuple[str, ...]:
    """All model names."""
    return tuple(MODELS)


def task_of(name: str) -> Task:
    """What the model ``name`` does; raises as ``create`` does."""
    task: Task = _find(name).task
    return task


def defaults(name: str) -> dict[str, Any]:
    """All options of the model ``name`` with their defaults: a card keeps them, so that later defaults do not change old weights."""
    return {key: item.default for key, item in inspect.signature(_find(name)).parameters.items()}


def create(name: str, **options: Any) -> nn.Module:
    """A new model with random weights; ``options`` are the arguments of its class (``classes``, ``channels``, ``size``, ...).

    Raises ``InputError`` for an unknown name or an option that the model does not have, ``MissingExtraError`` without torch.
    """
    build = _find(name)
    try:
        model: nn.Module = build(**options)
    except (TypeError, ValueError) as error:
        raise InputError(f"options that fit the model {name}", f"{options} ({error})", "correct the options") from error
    return model


def _find(name: str) -> Any:
    if name not in MODELS:
        raise InputError(f"a model of {', '.join(MODELS)}", repr(name), "name one of them")
    module, _, kind = MODELS[name].partition(":")
    try:
        return getattr(import_module(module), kind)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("torch", "train") from error
