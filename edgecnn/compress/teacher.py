"""The teacher in distillation: one checkpoint, or an ensemble with averaged outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.models import load_checkpoint
from edgecnn.tasks import find


@dataclass(frozen=True, slots=True, eq=False)
class TeacherNetwork:
    """One network of a teacher in eval mode, and its card."""

    model: nn.Module
    card: ModelCard


class DistillationTeacher:
    """One network, or an ensemble whose outputs are averaged. Its weights are frozen, and it sees the student's batches."""

    def __init__(self, networks: Sequence[TeacherNetwork]) -> None:
        if not networks:
            raise ValueError("a teacher needs at least one network")
        self.networks = tuple(networks)
        for network in self.networks:
            network.model.eval().requires_grad_(False)

    @classmethod
    def load(cls, checkpoints: Sequence[str]) -> DistillationTeacher:
        """Checkpoints by path or shipped name; raises what ``load_checkpoint`` raises."""
        return cls([TeacherNetwork(*load_checkpoint(checkpoint)) for checkpoint in checkpoints])

    def check(self, student: ModelCard) -> None:
        """Raise ``InputError`` where a student with this card has another task, other labels or other input channels."""
        for network in self.networks:
            _check(network.card, student)

    def to(self, device: str) -> None:
        """Move all networks to a device."""
        for network in self.networks:
            network.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def record(self) -> list[dict[str, str]]:
        """Name and digest of each network, for a card."""
        return [{"name": network.card.name, "sha256": network.card.sha256} for network in self.networks]

    @torch.no_grad()
    def __call__(self, inputs: Tensor, preprocess: Preprocess) -> tuple[Tensor, ...]:
        """The mean outputs, float32, for a batch (B, C, H, W) that was preprocessed for a student with ``preprocess``.

        A classifier gives (logits,), a detector (distances, scores) of the cells at the batch's own size.
        """
        found = [_outputs(network.model(_adapted(inputs, preprocess, network.card))) for network in self.networks]
        # ``found`` lists outputs by network: zip groups them by output
        return tuple(torch.stack([part.float() for part in parts]).mean(0) for parts in zip(*found, strict=True))


def _outputs(found: Any) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def _adapted(inputs: Tensor, preprocess: Preprocess, card: ModelCard) -> Tensor:
    """The batch in a teacher's pixel scale and color order, and for a classifier at its input size."""
    own = card.preprocess
    if own.color != preprocess.color:
        inputs = inputs.flip(1)  # RGB and BGR differ in the order of the channel axis only
    if (own.mean, own.std) != (preprocess.mean, preprocess.std) or own.color != preprocess.color:
        mean, std, new_mean, new_std = (
            inputs.new_tensor(values).view(1, -1, 1, 1) for values in (*_ordered(preprocess, own.color), own.mean, own.std)
        )
        inputs = (inputs * std + mean - new_mean) / new_std
    # A detector keeps the batch's size: its cells must be those of the student, box for box.
    if not find(card.task).has_boxes and inputs.shape[2:] != own.size:
        inputs = F.interpolate(inputs, own.size, mode="bilinear", antialias=True)
    return inputs


def _ordered(preprocess: Preprocess, color: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    # mean and std are per channel: for the other color order they are reversed, as the channels were
    turned = preprocess.color != color
    return (preprocess.mean[::-1], preprocess.std[::-1]) if turned else (preprocess.mean, preprocess.std)


def _check(teacher: ModelCard, student: ModelCard) -> None:
    if teacher.task != student.task:
        raise InputError(
            f"--teacher: {teacher.name} has the task {teacher.task}, but the student {student.task}",
            "name a teacher for the same task",
        )
    if teacher.labels != student.labels:
        raise InputError(
            f"--teacher: {teacher.name} has the labels {', '.join(teacher.labels)}, but the student {', '.join(student.labels)}",
            "name a teacher trained on the same classes",
        )
    if teacher.preprocess.channels != student.preprocess.channels:
        raise InputError(
            f"--teacher: the input of {teacher.name} has {teacher.preprocess.channels} channels, "
            f"but that of the student {student.preprocess.channels}",
            "name a teacher trained on the same images",
        )
