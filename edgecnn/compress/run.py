"""A whole compression: the steps that were asked for, one after the other, each leaving a checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from edgecnn.card import ModelCard
from edgecnn.compress.distill import Distilled, Teaching
from edgecnn.compress.options import CompressOptions
from edgecnn.compress.teacher import Teacher
from edgecnn.models.checkpoint import write_whole
from edgecnn.models.registry import task_of
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective
from edgecnn.train.run import Change, train

Say = Callable[[str], None]


def compress(options: CompressOptions, say: Say = print) -> list[Path]:
    """Do all steps and give the checkpoint of each.

    Raises ``InputError`` for data, teachers or folders that do not fit, and what a training raises.
    """
    teacher = Teacher.load(options.all_teachers)
    return [distil(options, teacher, options.train.out / "01-distil", say)]


def distil(options: CompressOptions, teacher: Teacher, folder: Path, say: Say) -> Path:
    """Train the student in ``folder`` and put its checkpoint beside it."""
    teaching = options.teaching.of(task_of(options.train.model))
    say(f"taught by {', '.join(member.card.name for member in teacher.members)}")
    change = Change(
        check=teacher.check,
        objective=taught_by(teacher, teaching),
        record={"distillation": {"teachers": teacher.record(), **teaching.record()}},
        command=options.command(),
    )
    made = train(dataclasses.replace(options.train, out=folder), say, change)
    return publish(made, folder.with_name(f"{folder.name}.safetensors"))


def taught_by(teacher: Teacher, teaching: Teaching) -> Callable[[Objective, ModelCard, Hardware], Objective]:
    """What makes an objective listen to the teacher."""

    def wrap(objective: Objective, card: ModelCard, machine: Hardware) -> Objective:
        teacher.to(machine.device)
        return Distilled(objective, teacher, teaching, card.preprocess)

    return wrap


def publish(made: Path, path: Path) -> Path:
    """Give a step's checkpoint its name in the folder of the run, at once."""
    write_whole(path, made.read_bytes())
    return path
