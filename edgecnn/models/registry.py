"""Creates models by name, as in `create("resnet-s", classes=10)`; each model is imported only when it is used."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.models.heads import HeadKind, task_for
from edgecnn.task_names import TaskName

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """The path of a model's class ("module:Class"), the options of this model, and its task."""

    class_path: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    task: TaskName = "classify"


RESNET = "edgecnn.models.resnet:ResNetS"
CIFAR = "edgecnn.models.cifar:CifarResNet"
RESTORE = "edgecnn.models.restorenet:RestoreNet"
EDGEDET = "edgecnn.models.edgedet:EdgeDet"

MODELS: dict[str, ModelEntry] = {
    "mlp": ModelEntry("edgecnn.models.mlp:Mlp"),
    "lecture": ModelEntry("edgecnn.models.lecture:Lecture"),
    "resnet-xs": ModelEntry(RESNET, {"widths": (16, 24, 44), "depths": (2, 2, 2)}),
    "resnet-s": ModelEntry(RESNET),
    "resnet-m": ModelEntry(RESNET, {"widths": (24, 48, 160), "depths": (2, 2, 2)}),
    "resnet-8": ModelEntry(CIFAR, {"blocks": 1}),
    "resnet-20": ModelEntry(CIFAR, {"blocks": 3}),
    "resnet-32": ModelEntry(CIFAR, {"blocks": 5}),
    "resnet-56": ModelEntry(CIFAR, {"blocks": 9}),
    "mobilenet": ModelEntry("edgecnn.models.mobilenet:MobileNet"),
    "embednet": ModelEntry("edgecnn.models.embednet:EmbedNet", task="embed"),
    "signalnet": ModelEntry("edgecnn.models.signalnet:SignalNet", task="signal"),
    "edgeseg": ModelEntry("edgecnn.models.edgeseg:EdgeSeg", task="segment"),
    "edgepose": ModelEntry("edgecnn.models.edgepose:EdgePose", task="pose"),
    "superres": ModelEntry(RESTORE, {"upscale": 2, "noise": 0.0}, "restore"),
    "denoise": ModelEntry(RESTORE, {"upscale": 1, "noise": 25.0, "size": (240, 320)}, "restore"),
    "edgedet": ModelEntry(EDGEDET, task="detect"),
    "edgedet-n": ModelEntry(
        EDGEDET, {"widths": (16, 32, 80, 160, 320), "depths": (2, 2, 3, 2), "neck": 64, "head_depth": 1}, "detect"
    ),
    "edgedet-s": ModelEntry(
        EDGEDET, {"widths": (16, 32, 96, 192, 448), "depths": (2, 3, 4, 3), "neck": 96, "head_depth": 2}, "detect"
    ),
    "edgedet-m": ModelEntry(
        EDGEDET, {"widths": (24, 56, 160, 320, 640), "depths": (2, 3, 4, 4), "neck": 160, "head_depth": 2}, "detect"
    ),
}


def names() -> tuple[str, ...]:
    """All model names."""
    return tuple(MODELS)


def task_of(name: str, options: Mapping[str, Any] | None = None) -> TaskName:
    """The task of the model ``name`` with ``options``, without importing it; raises ``InputError`` for an unknown name."""
    found = _entry(name).task
    head = (options or {}).get("head", "classify")
    return task_for(head) if found == "classify" and head in get_args(HeadKind) else found


def defaults(name: str) -> dict[str, Any]:
    """All options of the model ``name`` with their defaults; a card stores them, so that new defaults do not break old weights."""
    own = {key: item.default for key, item in inspect.signature(model_class(name)).parameters.items()}
    # the preset last: it replaces defaults of the class
    return own | dict(MODELS[name].preset)


def create(name: str, **options: Any) -> nn.Module:
    """A new model with random weights; ``options`` are the arguments of its class (``classes``, ``channels``, ``size``, ...).

    Raises ``InputError`` for an unknown name or an option that the model does not have, ``MissingExtraError`` without torch.
    """
    build = model_class(name)
    try:
        model: nn.Module = build(**{**MODELS[name].preset, **options})
    except (TypeError, ValueError) as error:
        raise InputError(f"the model {name} can't be made with {options} ({error})", "correct the options") from error
    return model


def _entry(name: str) -> ModelEntry:
    if name not in MODELS:
        raise InputError(f"there is no model {name!r}", f"use one of {', '.join(MODELS)}")
    return MODELS[name]


def model_class(name: str) -> Any:
    """The class of the model ``name``; raises ``InputError`` for an unknown name, ``MissingExtraError`` without torch."""
    module, _, class_name = _entry(name).class_path.partition(":")
    try:
        return getattr(import_module(module), class_name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("torch", "train") from error
