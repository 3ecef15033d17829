"""The steps of a compression: each trains in a folder of its own and leaves a checkpoint beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.compress import qat
from edgecnn.compress.cost import example, macs
from edgecnn.compress.distill import METHODS, Distilled, Teaching
from edgecnn.compress.options import QAT_RATE, CompressOptions
from edgecnn.compress.prune import mark, prune_to, prune_to_latency
from edgecnn.compress.targets import parse_macs
from edgecnn.compress.teacher import Teacher
from edgecnn.data.pseudo_labels import Teacher as BoxTeacher
from edgecnn.files import write_file
from edgecnn.models import load_checkpoint, save_checkpoint
from edgecnn.models.registry import task_of
from edgecnn.train.distributed import Group
from edgecnn.train.hardware import Hardware
from edgecnn.train.objective import Objective
from edgecnn.train.options import TrainOptions
from edgecnn.train.run import CHECKPOINT, Change, train
from edgecnn.train.state import STATE

Say = Callable[[str], None]
LatencyOf = Callable[[Path], float]
Start = tuple[nn.Module, ModelCard]
Network = Callable[[nn.Module, ModelCard, Objective], nn.Module]
RANGE_IMAGES, RANGE_BATCH = 256, 32


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """What all steps of a run share.

    ``teacher`` is None where only ``boxes``, artifacts that label images, teach. ``latency_of`` measures a checkpoint in
    milliseconds, and ``target_ms`` is to be reached; both are None where pruning is by MACs.
    """

    options: CompressOptions
    teacher: Teacher | None
    boxes: Sequence[BoxTeacher] = ()
    say: Say = print
    latency_of: LatencyOf | None = None
    target_ms: float | None = None
    group: Group = field(default_factory=Group)

    def distil(self, folder: Path) -> dict[str, Any]:
        """Teach the student from the start."""
        publish(self.train(folder, self.options.train, None, {"step": "distil"}), beside(folder), self.group)
        return {}

    def prune(self, folder: Path, source: Path) -> dict[str, Any]:
        """Take channels out of ``source`` in rounds, each followed by training; gives the MACs before and after."""
        model, card = load_checkpoint(source)
        rounds = Rounds(self, folder, mark(card))
        image, count = example(card), self.options.rounds
        if rounds.target_ms is not None:
            found = prune_to_latency(
                model, image, target_ms=rounds.target_ms, latency_of=rounds.latency, train_some=rounds.train, steps=count
            )
        else:
            target = parse_macs(self.options.target_macs, macs(model, image))
            found = prune_to(model, image, target_macs=target, train_some=rounds.train, steps=count)
        publish(rounds.last, beside(folder), self.group)
        return {"macs_before": found.macs_before, "macs_after": found.macs_after, "latency_ms": found.latency_ms}

    def qat(self, folder: Path, source: Path) -> dict[str, Any]:
        """Train ``source`` through the rounding of int8, at a low rate; gives what is known of the ranges."""
        model, card = load_checkpoint(source)
        options = dataclasses.replace(self.tuning(self.options.qat_epochs, QAT_RATE), amp="fp32")  # bf16 rounds more coarsely
        made = self.train(folder, options, (model, qat.mark(card)), {"step": "qat"}, with_roundings)
        trained, card = load_checkpoint(made)
        final, record = qat.finish(trained)
        if self.group.main:
            save_checkpoint(beside(folder), final, qat.mark(card, record))
        self.group.wait()
        return record

    def train(
        self,
        folder: Path,
        options: TrainOptions,
        start: Start | None,
        note: dict[str, Any],
        network: Network = lambda model, card, objective: model,
    ) -> Path:
        """One training, with the teacher; goes on where an earlier run was stopped."""
        folder.mkdir(parents=True, exist_ok=True)
        resume = (folder / STATE).is_file()
        if not resume:
            (folder / CHECKPOINT).unlink(missing_ok=True)  # of a first epoch that was not finished
        task = start[1].task if start else task_of(options.model, options.network())
        change = dataclasses.replace(self._change(task, start, note), network=network)
        return train(dataclasses.replace(options, out=folder, resume=resume), self.say, change, teachers=self.boxes)

    def tuning(self, epochs: int, rate: float = 1.0) -> TrainOptions:
        """How a network that exists is trained further."""
        usual = self.options.train
        return dataclasses.replace(usual, model="", epochs=epochs, lr=usual.lr * rate, init="", freeze="")

    def _change(self, task: str, start: Start | None, note: dict[str, Any]) -> Change:
        source = {"source": start[1].name, "sha256": start[1].sha256} if start else {}
        plain = Change(start=start, record={"compression": {**note, **source}}, command=self.options.command())
        if self.teacher is None or (task not in METHODS and not self.options.teachers):
            return plain
        teaching = self.options.teaching.of(task)
        lesson = {"distillation": {"teachers": self.teacher.record(), **teaching.record()}}
        return dataclasses.replace(
            plain,
            check=self.teacher.check,
            objective=taught_by(self.teacher, teaching),
            record={**plain.record, **lesson},
        )


class Rounds:
    """Training between rounds of pruning; what an earlier run has finished of it, networks and measurements, is taken from disk."""

    def __init__(self, workshop: Workshop, folder: Path, card: ModelCard) -> None:
        self._workshop, self._folder, self._card = workshop, folder, card
        self._count = 0
        self._measured = folder / "latency.json"
        found: dict[str, Any] = json.loads(self._measured.read_text()) if self._measured.is_file() else {}
        self._known: list[float] = found.get("measured", [])
        self.target_ms: float | None = found.get("target_ms", workshop.target_ms)
        self._asked = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def last(self) -> Path:
        """The checkpoint of the last round."""
        return self._folder / f"round-{self._count}.safetensors"

    def train(self, model: nn.Module) -> nn.Module:
        """Train what a round of pruning left: a little, or as long as was asked for after the last one."""
        self._count += 1
        options = self._workshop.options
        if not self.last.is_file():
            epochs = options.round_epochs if self._count < options.rounds else options.train.epochs
            count = macs(model, example(self._card))
            self._workshop.say(f"pruned to {count:,} MACs, round {self._count}")
            note = {"step": "prune", "round": self._count, "macs": count}
            folder = self.last.with_suffix("")
            made = self._workshop.train(folder, self._workshop.tuning(epochs), (model, self._card), note)
            publish(made, self.last, self._workshop.group)
        trained: nn.Module = load_checkpoint(self.last)[0]
        return trained

    def latency(self, model: nn.Module) -> float:
        """Milliseconds of a network that was pruned, trained or not."""
        self._asked += 1
        if self._asked > len(self._known):
            if self._workshop.group.main:
                self._measure(model)
            self._workshop.group.wait()
            self._known = json.loads(self._measured.read_text())["measured"]
        return self._known[self._asked - 1]

    def _measure(self, model: nn.Module) -> None:
        assert self._workshop.latency_of is not None
        draft = self._folder / "measured.safetensors"
        save_checkpoint(draft, model, self._card)
        found = self._workshop.latency_of(draft)
        draft.unlink()
        record = {"target_ms": self.target_ms, "measured": [*self._known, found]}
        write_file(self._measured, json.dumps(record))
        self._workshop.say(f"{macs(model, example(self._card)):,} MACs: {found:.3f} ms")


def with_roundings(model: nn.Module, card: ModelCard, objective: Objective) -> nn.Module:
    """The network made ready to learn int8, its ranges set by the first training images."""
    starts = range(0, min(len(objective), RANGE_IMAGES), RANGE_BATCH)
    found = [np.arange(start, min(start + RANGE_BATCH, len(objective))) for start in starts]
    return qat.prepare(model, card, (objective.batch(indices, 0)[0] for indices in found))


def taught_by(teacher: Teacher, teaching: Teaching) -> Callable[[Objective, ModelCard, Hardware], Objective]:
    """What makes an objective listen to the teacher."""

    def wrap(objective: Objective, card: ModelCard, machine: Hardware) -> Objective:
        teacher.to(machine.device)
        return Distilled(objective, teacher, teaching, card.preprocess)

    return wrap


def beside(folder: Path) -> Path:
    """Where the checkpoint of a step with this folder is."""
    return folder.with_name(f"{folder.name}.safetensors")


def publish(made: Path, path: Path, group: Group) -> None:
    """Give a checkpoint its name at once; all processes of a group wait for it."""
    if group.main:
        write_file(path, made.read_bytes())
    group.wait()
