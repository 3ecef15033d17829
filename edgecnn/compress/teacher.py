"""Networks that teach: checkpoints whose answers to the student's own batches are averaged."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One teaching network in eval mode, and its card."""

    model: nn.Module
    card: ModelCard


class Teacher:
    """One network, or several whose outputs are averaged. It never learns, and sees the batch that the student sees."""

    def __init__(self, members: Sequence[Member]) -> None:
        if not members:
            raise ValueError("wanted at least one teacher, found none: name one")
        self.members = tuple(members)
        for member in self.members:
            member.model.eval().requires_grad_(False)

    @classmethod
    def load(cls, checkpoints: Sequence[str]) -> Teacher:
        """Checkpoints by path or shipped name; raises what ``load_checkpoint`` raises."""
        return cls([Member(*load_checkpoint(checkpoint)) for checkpoint in checkpoints])

    def check(self, student: ModelCard) -> None:
        """Raise ``InputError`` where a student with this card can't learn from it: another task, other labels, other channels."""
        for member in self.members:
            _check(member.card, student)

    def to(self, device: str) -> None:
        """Move it to where the student is trained."""
        for member in self.members:
            member.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def record(self) -> list[dict[str, str]]:
        """Name and weights of each, as a card keeps them."""
        return [{"name": member.card.name, "sha256": member.card.sha256} for member in self.members]

    @torch.no_grad()
    def __call__(self, inputs: Tensor, preprocess: Preprocess) -> tuple[Tensor, ...]:
        """The mean outputs, float32, for a batch (B, C, H, W) that was prepared for a student with ``preprocess``.

        A classifier gives (logits,), a detector (distances, scores) of the cells of the batch's own size.
        """
        found = [_outputs(member.model(_adapted(inputs, preprocess, member.card))) for member in self.members]
        return tuple(torch.stack([part.float() for part in parts]).mean(0) for parts in zip(*found, strict=True))


def _outputs(found: Any) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def _adapted(inputs: Tensor, preprocess: Preprocess, card: ModelCard) -> Tensor:
    """The batch as this teacher wants it: its scale and colour order, and for a classifier its size."""
    own = card.preprocess
    if own.color != preprocess.color:
        inputs = inputs.flip(1)
    if (own.mean, own.std) != (preprocess.mean, preprocess.std) or own.color != preprocess.color:
        mean, std, new_mean, new_std = (
            inputs.new_tensor(values).view(1, -1, 1, 1) for values in (*_ordered(preprocess, own.color), own.mean, own.std)
        )
        inputs = (inputs * std + mean - new_mean) / new_std
    if card.task != "detect" and inputs.shape[2:] != own.size:
        inputs = F.interpolate(inputs, own.size, mode="bilinear", antialias=True)
    return inputs


def _ordered(preprocess: Preprocess, color: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    turned = preprocess.color != color
    return (preprocess.mean[::-1], preprocess.std[::-1]) if turned else (preprocess.mean, preprocess.std)


def _check(teacher: ModelCard, student: ModelCard) -> None:
    if teacher.task != student.task:
        raise InputError(
            f"a teacher to {student.task}", f"{teacher.name}, one to {teacher.task}", "name a teacher for the same task"
        )
    if teacher.labels != student.labels:
        found = f"{teacher.name} with {', '.join(teacher.labels)}"
        raise InputError(f"a teacher with the labels {', '.join(student.labels)}", found, "name one trained on the same classes")
    if teacher.preprocess.channels != student.preprocess.channels:
        raise InputError(
            f"a teacher for images of {student.preprocess.channels} channels",
            f"{teacher.name} for {teacher.preprocess.channels}",
            "name one trained on the same images",
        )
