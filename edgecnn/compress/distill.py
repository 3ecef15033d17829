"""Distillation: a student learns from the labels and from what a teacher answers to the same augmented images.

Classifiers: logits softened by a temperature, Hinton et al. 2015, arXiv:1503.02531 ("kd"), or the same loss taken apart into how
sure the teacher is and how it ranks the other classes, decoupled distillation, Zhao et al. 2022, arXiv:2203.08679 ("dkd").
Detectors: see ``distill_cells`` ("cells"). That teacher and student see the same crop of an image is what "patient and consistent"
teaching asks for, arXiv:2106.05237.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Preprocess
from edgecnn.compress.distill_cells import cells_loss
from edgecnn.compress.teacher import Teacher
from edgecnn.errors import InputError
from edgecnn.train.objective import Objective
from edgecnn.types import Array

Method = Literal["", "kd", "dkd", "cells"]
METHODS: Mapping[str, tuple[Method, ...]] = {"classify": ("kd", "dkd"), "detect": ("cells",)}  # the first is the default


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """How much a teacher says and how: the loss is ``(1 - weight) * labels + weight * teacher``.

    ``method`` is "" for the custom of the task. ``temperature`` softens both sides of a classifier's term; ``beta`` weighs the
    classes beside the true one in "dkd".
    """

    method: Method = ""
    weight: float = 0.7
    temperature: float = 4.0
    beta: float = 8.0

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"wanted a method of {', '.join(get_args(Method))}, found {self.method!r}: name one of them")
        if not 0 <= self.weight <= 1 or not self.temperature > 0:
            raise ValueError(f"wanted a weight of 0 to 1 and a temperature above 0, found {self}: correct them")

    def of(self, task: str) -> Teaching:
        """With the method for a task; raises ``InputError`` where the named one, or any, is not for it."""
        fit = METHODS.get(task, ())
        if not fit:
            raise InputError(f"a student to {' or '.join(METHODS)}", f"one to {task}", "train it on labels with edgecnn train")
        if self.method and self.method not in fit:
            raise InputError(f"a method of {', '.join(fit)} to {task}", self.method, "name one of them with --method")
        return dataclasses.replace(self, method=self.method or fit[0])

    def record(self) -> dict[str, Any]:
        """What a card says of it: what has an effect, as plain values."""
        found: dict[str, Any] = {"method": self.method, "weight": self.weight}
        found |= {"temperature": self.temperature} if self.method != "cells" else {}
        return found | ({"beta": self.beta} if self.method == "dkd" else {})


class Listening(nn.Module):
    """Runs a network and keeps what it answered last, so that an objective's own forward pass serves two losses."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.heard: tuple[Tensor, ...] = ()

    def forward(self, inputs: Tensor) -> Any:
        """What the network gives."""
        found = self.model(inputs)
        self.heard = found if isinstance(found, tuple) else (found,)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Distilled:
    """An objective whose loss listens to a teacher too; batches stay those of the objective."""

    objective: Objective
    teacher: Teacher
    teaching: Teaching
    preprocess: Preprocess

    def __len__(self) -> int:
        return len(self.objective)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Any]:
        """The batch of the objective."""
        return self.objective.batch(indices, epoch)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Any) -> Tensor:
        """The loss of the labels and that of the teacher, weighted."""
        student = Listening(model)
        labels = self.objective.loss(student, inputs, truth)
        taught = self.teacher(inputs, self.preprocess)
        weight = self.teaching.weight
        size = (int(inputs.shape[2]), int(inputs.shape[3]))
        return (1 - weight) * labels + weight * self._term(student.heard, taught, truth, size)

    def _term(self, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], truth: Any, size: tuple[int, int]) -> Tensor:
        if self.teaching.method == "cells":
            return cells_loss(student, teacher, size)
        logits, wanted = student[0].float(), teacher[0]
        if self.teaching.method == "kd":
            return kd_loss(logits, wanted, self.teaching.temperature)
        target = truth if truth.ndim == 1 else truth.argmax(1)
        return dkd_loss(logits, wanted, target.to(logits.device), self.teaching.temperature, self.teaching.beta)


def kd_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of logits (B, C) over T, mean of the batch: arXiv:1503.02531, equation 1 and section 2."""
    learnt, taught = (F.log_softmax(logits / temperature, 1) for logits in (student, teacher))
    return F.kl_div(learnt, taught, reduction="batchmean", log_target=True) * temperature**2


def dkd_loss(student: Tensor, teacher: Tensor, target: Tensor, temperature: float, beta: float) -> Tensor:
    """Decoupled loss of logits (B, C) with true classes ``target`` (B,): arXiv:2203.08679, equation 7 with alpha 1, times T^2.

    One term compares how sure both are of the true class, the other how they divide the rest, whatever the rest amounts to.
    """
    learnt, taught = (F.log_softmax(logits / temperature, 1) for logits in (student, teacher))
    true = F.one_hot(target, student.shape[1]).bool()
    sure = F.kl_div(_binary(learnt, true), _binary(taught, true), reduction="batchmean", log_target=True)
    learnt_rest, taught_rest = (_rest(logits, true) for logits in (learnt, taught))
    rest = F.kl_div(learnt_rest, taught_rest, reduction="batchmean", log_target=True)
    return (sure + beta * rest) * temperature**2


def _binary(log_probability: Tensor, true: Tensor) -> Tensor:
    """(B, 2): log of the true class's probability and of all others' together."""
    others = log_probability.masked_fill(true, -math.inf).logsumexp(1)
    return torch.stack([log_probability[true], others], 1)


def _rest(log_probability: Tensor, true: Tensor) -> Tensor:
    """(B, C - 1): log probabilities of the classes beside the true one, made to sum to 1 by themselves."""
    return F.log_softmax(log_probability[~true].view(len(true), -1), 1)
