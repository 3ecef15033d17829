"""Opens a network of other people's code for training: its card, and whether the losses here fit what it returns."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from edgecnn.errors import InputError, first_line
from edgecnn.export.config import ModelOptions
from edgecnn.export.source import load_model
from edgecnn.models.factories import name_factory
from edgecnn.tasks import find
from edgecnn.types import TensorSpec

TASKS = ("classify", "multilabel")  # whose losses need no more than one number for each label


def open_factory(target: str, options: ModelOptions) -> None:
    """Make the network of ``package.module:factory`` with its weights known as a checkpoint of that name.

    Raises ``InputError`` for what ``edgecnn.export.source.load_model`` refuses, and for a task or outputs that have no loss here.
    """
    model, card = load_model(target, options)
    if card.task not in TASKS:
        raise InputError(
            f"a network of the task {card.task} of your own code has no loss here, only one of {', '.join(TASKS)}",
            "train one of the networks of edgecnn train, or export it to int8 with --max-drop",
        )
    if card.decode.name not in ("softmax", "logits", "sigmoid"):
        raise InputError(
            f"--decode {card.decode.name}: the loss needs scores before softmax or sigmoid",
            "leave the last activation out of the network",
        )
    for training in (False, True):
        shape = (2, card.preprocess.channels, *card.preprocess.size)
        try:
            with torch.no_grad():  # a copy: batch-norms learn in training mode
                found = copy.deepcopy(model).train(training)(torch.zeros(shape))
        except Exception as error:  # of any layer of other people's code
            raise InputError(f"{target} does not accept a batch of two images: {first_line(error)}", "correct --input") from error
        if not isinstance(found, Tensor) or found.shape != (2, len(card.labels)):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            mode = " in training mode" if training else ""
            raise InputError(
                f"{target} gives {got}{mode} for two images, but there are {len(card.labels)} labels",
                "return one number for each label",
            )
    (name,) = find(card.task).output_names(card.decode.name, 1) or ("output_0",)
    card = card.replace(outputs=(TensorSpec(name, (1, len(card.labels)), "float32"),))
    name_factory(target, (model, card.replace(model={"name": target, "options": {}})))
