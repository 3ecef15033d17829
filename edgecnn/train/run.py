"""A whole training: datasets, model, engine, and what is left in the folder at the end."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgecnn.card import ModelCard, Task
from edgecnn.data import Dataset, open_dataset
from edgecnn.data.address import parse_address
from edgecnn.data.pseudo_labels import Teacher
from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.metrics import Score, evaluate
from edgecnn.metrics.average_precision import load_pycocotools
from edgecnn.models import create, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.models.registry import defaults, task_of
from edgecnn.train import batch_memory, hardware, plots, provenance, transfer
from edgecnn.train.classify import Classification
from edgecnn.train.cleanup import leaving_nothing
from edgecnn.train.datasets import Material, channels, gather
from edgecnn.train.detect import Detection
from edgecnn.train.distributed import Group, join
from edgecnn.train.engine import Engine
from edgecnn.train.in_memory import load
from edgecnn.train.objective import Objective
from edgecnn.train.options import TrainOptions
from edgecnn.train.predict import Eager, one_thread, scoring_card
from edgecnn.train.regress import Regression, scaled
from edgecnn.train.state import STATE

CHECKPOINT, SCORES = "model.safetensors", "scores.json"
SMALL = 96
REDRAW_S = 20.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What another than a plain training does otherwise, such as one that compresses.

    ``start`` is trained in place of a new network. ``check`` sees the card before anything long is done, ``objective`` makes another
    objective of the task's own; ``network`` may put another in the place of the one to train, having seen that objective.
    ``record`` joins the card's record of the training, and a resumed training must have the same; ``command`` is the command line
    that makes the same weights.
    """

    start: tuple[nn.Module, ModelCard] | None = None
    check: Callable[[ModelCard], None] = field(default=lambda card: None)
    objective: Callable[[Objective, ModelCard, hardware.Hardware], Objective] = field(default=lambda own, card, machine: own)
    network: Callable[[nn.Module, ModelCard, Objective], nn.Module] = field(default=lambda model, card, objective: model)
    record: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""


def train(options: TrainOptions, say: Say = print, change: Change | None = None, *, teachers: Sequence[Teacher] = ()) -> Path:
    """Train as asked and give the path of the checkpoint; beside it are curves.png, confusion.png and scores.json.

    ``teachers``, those of ``options.pseudo``, fill the classes that a dataset does not label.
    Raises ``InputError`` for datasets, options or folders that do not fit, and for a loss that is not finite.
    """
    with leaving_nothing(options.out):
        return _train(options, say, change or Change(), teachers)


def _train(options: TrainOptions, say: Say, change: Change, teachers: Sequence[Teacher]) -> Path:
    group = join()
    say = say if group.main else _silent
    prepare(options, group)
    task = change.start[1].task if change.start else _task(options)
    options.policy(task)  # an unknown one is said at once
    if task == "detect":
        load_pycocotools()
    with group.first():
        material = gather(options, task, teachers)
    torch.manual_seed(options.seed)
    torch.backends.cudnn.deterministic = True
    model, card = _known(change.start, material, options) if change.start else _new(options, material, task)
    change.check(card)
    begun, card = transfer.start(model, card, options)
    change = dataclasses.replace(change, record={**change.record, **begun.record})
    machine = hardware.find(options.amp)
    for line in (_opening(card, material, model, machine, group), *begun.lines):
        say(line)
    with batch_memory.guard(options.batch):
        objective = change.objective(_objective(options, material, card), card, machine)
        engine = Engine(change.network(model, card, objective), objective, options, machine, change.record, group)
    if options.resume:
        engine.resume(options.out)
        say(f"resumed after epoch {engine.epoch} of {options.epochs}")
    keeper = Keeper(options, card, material, say, change)
    begun.frozen.at(engine.epoch)

    def after_epoch(average: nn.Module, history: list[dict[str, float]]) -> dict[str, float]:
        begun.frozen.at(engine.epoch)
        return keeper.after_epoch(average, history) if group.main else {}

    engine.run(options.out, after_epoch)
    if group.main:
        keeper.finish(engine.average.model, engine.history)
    group.wait()
    return options.out / CHECKPOINT


def _task(options: TrainOptions) -> Task:
    """What the model does; a classifier's network learns values where the first dataset has values."""
    task = task_of(options.model, options.network())
    return "regress" if task == "classify" and open_dataset(options.data[0], limit=1).task == "regress" else task


def _new(options: TrainOptions, material: Material, task: str) -> tuple[nn.Module, ModelCard]:
    card = new_card(options.model, _model_options(options, material, task), material.labels)
    if task == "regress":
        card = scaled(card, material.learn)
    return create(options.model, **card.model["options"]), card.replace(name=options.name or options.model)


def _known(start: tuple[nn.Module, ModelCard], material: Material, options: TrainOptions) -> tuple[nn.Module, ModelCard]:
    model, card = start
    if card.labels != material.labels:
        wanted = f"a dataset with the classes of {card.name}, {', '.join(card.labels)}"
        raise InputError(wanted, ", ".join(material.labels), "name the data that it was trained on")
    return model, card.replace(name=options.name or card.name)


def _silent(_: str) -> None:
    """What the other processes of a group say."""


def prepare(options: TrainOptions, group: Group | None = None) -> None:
    """Download where asked, and make the folder; raises ``InputError`` where another training's files are in it."""
    group = group or Group()
    if options.download:
        from edgecnn.data.download import fetch_fashion_mnist

        with group.first():
            fetch_fashion_mnist(parse_address(options.data[0]).path)
    there = [name for name in (CHECKPOINT, STATE) if (options.out / name).exists()]
    if there and not options.resume:
        raise InputError(
            f"a folder without a training at {options.out}", there[0], "go on with --resume, or name another folder with --out"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"a folder to write at {options.out}", error.strerror or str(error), "name another with --out"
        ) from error


def _model_options(options: TrainOptions, material: Material, task: str) -> dict[str, Any]:
    """The defaults, but for a detector the size and channels of the images and the head for the task, and the given ones."""
    found = defaults(options.model) | {"classes": len(material.labels)}
    if task != "detect":
        height, width = material.learn[0].samples[0].read().shape[:2]
        size = (height, width) if max(height, width) <= SMALL else (SMALL, SMALL)
        found |= {"channels": channels(material.learn), "size": size, "head": task}
    return found | options.network()


def _objective(options: TrainOptions, material: Material, card: ModelCard) -> Objective:
    pixels = load(material.learn, card.preprocess, workers=options.workers, strict=options.strict)
    if card.task == "classify":
        return Classification(pixels, card.preprocess, options, len(card.labels))
    if card.task == "regress":
        return Regression(pixels, card, options)
    reach = float(card.model["options"].get("reach", 8.0))
    return Detection(pixels, card.preprocess, options, reach)


def _opening(card: ModelCard, material: Material, model: nn.Module, machine: hardware.Hardware, group: Group) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    watch = f", scored on {len(material.watch)} others" if material.watch else ""
    amp = "bfloat16" if machine.bf16 else "float32"
    many = f", {group.size} processes" if group.size > 1 else ""
    return f"{card.name}, {count:,} parameters: {material.count:,} images, {len(card.labels)} classes{watch}; {machine.device}, {amp}{many}"


@dataclass(slots=True)
class Keeper:
    """Writes what a training leaves: after each epoch the checkpoint and the curves, at the end the scores and the confusion matrix."""

    options: TrainOptions
    card: ModelCard
    material: Material
    say: Say
    change: Change = field(default_factory=Change)
    _since: float = field(default_factory=time.perf_counter)
    _drawn: float = field(default_factory=time.perf_counter)

    def after_epoch(self, model: nn.Module, history: list[dict[str, float]]) -> dict[str, float]:
        """Score, print a line, write checkpoint and curves; gives the numbers to add to the history."""
        found: dict[str, float] = {}
        score = self._score(model, self.material.watch)
        if score is not None:
            found["score"] = score.primary
        found["seconds"] = time.perf_counter() - self._since
        self._since = time.perf_counter()
        last = history[-1] | found
        shown = f"  {score.primary_title} {score.primary:.4f}" if score else ""
        self.say(f"epoch {last['epoch']}/{self.options.epochs}  loss {last['loss']:.4f}{shown}  {found['seconds']:.1f} s")
        self._write(model, [*history[:-1], last], {})
        if time.perf_counter() - self._drawn > REDRAW_S:
            self._curves([*history[:-1], last])
        return found

    def finish(self, model: nn.Module, history: list[dict[str, float]]) -> None:
        """Measure once on the test images, else on the watched ones, and write it all."""
        self._curves(history)
        dataset = self.material.measure or self.material.watch
        score = self._score(model, dataset)
        if score is None or dataset is None:
            return
        part = "test" if self.material.measure else "val" if self.options.val else "held out"
        named = {"data": dataset.name, "part": part, "n": score.n, **score.values}
        self.say(f"{score.primary_title} {score.primary:.4f} on {score.n} images of {dataset.name} ({part})")
        self._write(model, history, named)
        record = {"part": part, **score.to_dict()}
        write_file(self.options.out / SCORES, json.dumps(record, indent=1))
        if score.confusion is not None:
            title = f"{self.card.name}: top-1 {score.primary:.1%} ({part})"
            plots.confusion([(title, score.confusion)], score.labels, self.options.out / "confusion.png")
        elif score.pairs is not None:
            title = f"{self.card.name}: R² {score.primary:.3f}, mean absolute error {score.values['mae']:.3g} ({part})"
            plots.scatter(title, score.labels[0], score.pairs, self.options.out / "values.png")
        elif score.per_class:
            title = f"{self.card.name}: mAP@50-95 {score.primary:.3f} ({part})"
            plots.bars(title, score.per_class, self.options.out / "classes.png")

    def _score(self, model: nn.Module, dataset: Dataset | None) -> Score | None:
        if dataset is None:
            return None
        with one_thread():
            return evaluate(Eager(model, scoring_card(self.card)), dataset, strict=True)

    def _write(self, model: nn.Module, history: list[dict[str, float]], scores: dict[str, Any]) -> None:
        record = {
            "command": self.change.command or self.options.command(),
            "data": self.options.identity()["data"],
            "images": self.material.count,
            "sources": [dict(source) for source in self.material.sources],
            "augmentation": self.options.policy(self.card.task).record(),
            "seed": self.options.seed,
            "epochs": len(history),
            "seconds": round(sum(row.get("seconds", 0.0) for row in history), 1),
            "history": [{key: round(value, 6) for key, value in row.items()} for row in history],
            "scores": scores,
            **self.change.record,
            **provenance.versions(),
        }
        card = self.card.replace(training=record, source_commit=provenance.source_commit())
        save_checkpoint(self.options.out / CHECKPOINT, model, card)

    def _curves(self, history: list[dict[str, float]]) -> None:
        plots.curves(self.card.name, history, self.card.task, self.options.out / "curves.png")
        self._drawn = time.perf_counter()
