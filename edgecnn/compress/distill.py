"""Knowledge distillation: a student is trained on the labels and on a teacher's outputs for the same augmented images.

Classifiers: logits softened by a temperature, Hinton et al. 2015, arXiv:1503.02531 ("kd"), or the same loss decoupled into the
confidence of the true class and the distribution over the other classes, Zhao et al. 2022, arXiv:2203.08679 ("dkd").
Detectors: see ``distill_cells`` ("cells"). Teacher and student see the same crop of an image, as in "Knowledge distillation: a good
teacher is patient and consistent", arXiv:2106.05237.
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
from edgecnn.compress.teacher import DistillationTeacher
from edgecnn.errors import InputError
from edgecnn.train.objective import Objective
from edgecnn.types import Array

Method = Literal["", "kd", "dkd", "cells"]
METHODS: Mapping[str, tuple[Method, ...]] = {"classify": ("kd", "dkd"), "detect": ("cells",)}  # the first is the default


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillConfig:
    """Configuration of the distillation loss, ``(1 - weight) * labels + weight * teacher``.

    ``method`` is "" for the default of the task. ``temperature`` softens the logits of student and teacher; ``beta`` weights the other
    classes in "dkd". Raises ``ValueError`` for an unknown method, a weight outside 0..1 or a temperature that is not above 0.
    """

    method: Method = ""
    weight: float = 0.7
    temperature: float = 4.0
    beta: float = 8.0

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"{self.method!r} is not a distillation method; use one of {', '.join(get_args(Method)[1:])}")
        if not 0 <= self.weight <= 1 or not self.temperature > 0:
            raise ValueError(f"the weight must be 0..1 and the temperature above 0, not {self.weight} and {self.temperature}")

    def for_task(self, task: str) -> DistillConfig:
        """With the method for a task; raises ``InputError`` where ``method``, or every method, is for other tasks."""
        fit = METHODS.get(task, ())
        if not fit:
            raise InputError(
                f"--student: a model for the task {task} can't be distilled, only one for {' or '.join(METHODS)}",
                "train it on labels with edgecnn train",
            )
        if self.method and self.method not in fit:
            raise InputError(f"--method: {self.method} is not for the task {task}", f"use one of {', '.join(fit)}")
        return dataclasses.replace(self, method=self.method or fit[0])

    def record(self) -> dict[str, Any]:
        """The values that have an effect, for a card."""
        found: dict[str, Any] = {"method": self.method, "weight": self.weight}
        found |= {"temperature": self.temperature} if self.method != "cells" else {}
        return found | ({"beta": self.beta} if self.method == "dkd" else {})


class OutputCapture(nn.Module):
    """Runs a network and keeps its last outputs, so that one forward pass of the student serves both losses."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.outputs: tuple[Tensor, ...] = ()

    def forward(self, inputs: Tensor) -> Any:
        """The network's outputs, as they are."""
        found = self.model(inputs)
        self.outputs = found if isinstance(found, tuple) else (found,)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class DistillObjective:
    """An objective with a teacher's loss added; its batches are unchanged."""

    objective: Objective
    teacher: DistillationTeacher
    config: DistillConfig
    preprocess: Preprocess

    def __len__(self) -> int:
        return len(self.objective)

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Any]:
        """The batch of the objective."""
        return self.objective.batch(indices, epoch)

    def loss(self, model: nn.Module, inputs: Tensor, truth: Any) -> Tensor:
        """The weighted sum of the loss of the labels and of the teacher."""
        student = OutputCapture(model)
        labels = self.objective.loss(student, inputs, truth)
        teacher_outputs = self.teacher(inputs, self.preprocess)
        weight = self.config.weight
        size = (int(inputs.shape[2]), int(inputs.shape[3]))
        return (1 - weight) * labels + weight * self._teacher_loss(student.outputs, teacher_outputs, truth, size)

    def _teacher_loss(
        self, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], truth: Any, size: tuple[int, int]
    ) -> Tensor:
        if self.config.method == "cells":
            return cells_loss(student, teacher, size)
        logits, teacher_logits = student[0].float(), teacher[0]
        if self.config.method == "kd":
            return kd_loss(logits, teacher_logits, self.config.temperature)
        target = (
            truth if truth.ndim == 1 else truth.argmax(1)
        )  # mixup gives class probabilities: the larger one is the true class
        return dkd_loss(logits, teacher_logits, target.to(logits.device), self.config.temperature, self.config.beta)


def kd_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of logits (B, C) over T, mean of the batch: arXiv:1503.02531, equation 1 and section 2."""
    log_student, log_teacher = (F.log_softmax(logits / temperature, 1) for logits in (student, teacher))
    # gradients of softened logits shrink with 1 / T^2: the factor keeps the weight of this loss independent of the temperature
    return F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True) * temperature**2


def dkd_loss(student: Tensor, teacher: Tensor, target: Tensor, temperature: float, beta: float) -> Tensor:
    """Decoupled loss of logits (B, C) with true classes ``target`` (B,): arXiv:2203.08679, equation 7 with alpha 1, times T^2.

    The first term compares the probabilities of the true class, the second the distributions over the other classes, each normalized
    on its own.
    """
    log_student, log_teacher = (F.log_softmax(logits / temperature, 1) for logits in (student, teacher))
    true = F.one_hot(target, student.shape[1]).bool()
    target_term = F.kl_div(_binary(log_student, true), _binary(log_teacher, true), reduction="batchmean", log_target=True)
    student_others, teacher_others = (_other_classes(logits, true) for logits in (log_student, log_teacher))
    other_term = F.kl_div(student_others, teacher_others, reduction="batchmean", log_target=True)
    return (target_term + beta * other_term) * temperature**2


def _binary(log_probability: Tensor, true: Tensor) -> Tensor:
    """(B, 2): log of the probability of the true class, and of all others together."""
    # not log(1 - p): for a teacher that is certain that is log(0), whose gradient is infinite
    others = log_probability.masked_fill(true, -math.inf).logsumexp(1)
    return torch.stack([log_probability[true], others], 1)


def _other_classes(log_probability: Tensor, true: Tensor) -> Tensor:
    """(B, C - 1): log probabilities of the classes but the true one, normalized to sum to 1."""
    return F.log_softmax(log_probability[~true].view(len(true), -1), 1)
