"""Hooks by which a caller, such as compression, changes a training run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from edgecnn.card import ModelCard
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainHooks:
    """Functions that a training run calls, and values that it uses; the defaults change nothing.

    ``initial`` is an existing network, trained further in place of a new one. ``check`` gets the card before the images are loaded.
    ``objective`` may wrap the objective of the task, and ``network`` may replace the network to train, for instance by one with fake
    quantization. ``record`` is added to the training's record in the card; a resumed training must have the same. ``command`` is the
    command line that gives the same weights.
    """

    initial: tuple[nn.Module, ModelCard] | None = None
    check: Callable[[ModelCard], None] = field(default=lambda card: None)
    objective: Callable[[Objective, ModelCard, Hardware], Objective] = field(default=lambda own, card, hardware: own)
    network: Callable[[nn.Module, ModelCard, Objective], nn.Module] = field(default=lambda model, card, objective: model)
    record: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
