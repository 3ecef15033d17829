"""Runs a whole training: datasets, network, training loop, and the files in its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.data import open_dataset
from edgecnn.data.address import SCENE, parse_address
from edgecnn.data.problems import to_stderr
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.errors import InputError
from edgecnn.models import create
from edgecnn.models.heads import HeadKind
from edgecnn.models.new_card import new_card
from edgecnn.models.registry import defaults, task_of
from edgecnn.reference_profile.seen_images import TRAINING, earlier_records, seen_record
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.train import batch_memory, hardware, transfer
from edgecnn.train.adversarial import adversarial, parse_adversary
from edgecnn.train.cleanup import remove_if_failed
from edgecnn.train.config import TrainConfig
from edgecnn.train.datasets import TrainingData, channels, load_datasets
from edgecnn.train.device_batches import device_batches
from edgecnn.train.distributed import ProcessGroup, join_group
from edgecnn.train.engine import Engine
from edgecnn.train.hooks import TrainHooks
from edgecnn.train.in_memory import InMemoryImages, load
from edgecnn.train.objectives import trained
from edgecnn.train.recorder import CHECKPOINT, TrainRecorder
from edgecnn.train.state import STATE

MAX_DEFAULT_SIDE = 96  # pixels of a classifier's input where no size is given: larger images are scaled down to this
Say = Callable[[str], None]


def train(
    config: TrainConfig, say: Say = print, hooks: TrainHooks | None = None, *, teachers: Sequence[PseudoLabeler] = ()
) -> Path:
    """Train a network and give the path of its checkpoint; beside it are scores.json and plots.

    ``say`` gets a line for each event. ``teachers`` are the opened model files of ``config.pseudo`` (``edgecnn.teachers.open_teachers``).
    Raises ``InputError`` for datasets, options or folders that do not fit, and for a loss that is not finite.
    """
    with remove_if_failed(config.out):
        return _train(config, say, hooks or TrainHooks(), teachers)


def _train(config: TrainConfig, say: Say, hooks: TrainHooks, teachers: Sequence[PseudoLabeler]) -> Path:
    group = join_group()
    say = say if group.main else _silent
    prepare(config, group)
    task = hooks.initial[1].task if hooks.initial else _task(config)
    config.policy(task)  # an unknown policy is reported before datasets are read
    adversary = parse_adversary(config.adversarial, task)
    find(task).check_measure()
    if config.balance != "none" and task not in ("classify", "signal"):
        raise InputError(f"--balance is for classifiers, but {config.model} is {find(task).model}", "leave it out")
    with group.main_first():
        warn = to_stderr if group.main else _silent
        data = load_datasets(config, task, teachers, warn, further=hooks.initial is not None)
    torch.manual_seed(config.seed)
    model, card = _existing(hooks.initial, data, config) if hooks.initial else _new(config, data, task)
    hooks.check(card)
    reused, card = transfer.initialize(model, card, config)
    attacked = adversary.record if adversary else {}
    hooks = dataclasses.replace(hooks, record={**hooks.record, **reused.record, **attacked})
    machine = hardware.detect_hardware(config.amp)
    hardware.tune(machine.device)
    for line in (_summary(card, data, model, machine, group), *reused.lines):
        say(line)
    with batch_memory.explain_out_of_memory(config.batch):
        images = load(data.train, trained(card.task).loaded(card), workers=config.workers, strict=config.strict)
        own = adversarial(trained(card.task).objective(images, card, config), card, adversary)
        objective = hooks.objective(own, card, machine)
        batches = device_batches(images, card, config, machine, group)
        network = hooks.network(model, card, objective)
        engine = Engine(network, objective, config, machine, hooks.record, group, batches, say)
    if config.resume:
        engine.resume(config.out)
        say(f"resumed after epoch {engine.epoch} of {config.epochs}")
    recorder = TrainRecorder(config, card, data, say, hooks, _seen(data, images, hooks, reused))
    reused.frozen.at(engine.epoch)

    def after_epoch(average: nn.Module, history: list[dict[str, float]]) -> dict[str, float]:
        reused.frozen.at(engine.epoch)
        return recorder.after_epoch(average, history) if group.main else {}

    def after_save(average: nn.Module, history: list[dict[str, float]]) -> None:
        if group.main:
            recorder.after_save(average, history)

    engine.run(config.out, after_epoch, after_save)
    if group.main:
        recorder.finish(engine.average.model, engine.history)
    group.wait()
    return config.out / CHECKPOINT


def _seen(data: TrainingData, images: InMemoryImages, hooks: TrainHooks, reused: transfer.Transfer) -> dict[str, Any]:
    """What the card says of the training images, and of those that the weights at the start come from."""
    before = [hooks.initial[1]] if hooks.initial else [] if reused.reused is None else [reused.reused.card]
    names = ", ".join(dict.fromkeys(dataset.name for dataset in data.train))
    return seen_record(TRAINING, names, images.contents, earlier_records(before))


def _task(config: TrainConfig) -> TaskName:
    """The task of the model; a classifier's network gets the head of the first dataset's task."""
    task = task_of(config.model, config.network())
    if task != "classify":
        return task
    data = open_dataset(config.data[0], limit=1).task
    return data if data in get_args(HeadKind) else task


def _new(config: TrainConfig, data: TrainingData, task: TaskName) -> tuple[nn.Module, ModelCard]:
    card = new_card(config.model, _model_options(config, data, task), data.labels if find(task).needs_labels else ())
    card = trained(task).prepare(card, data.train)
    return create(config.model, **card.model["options"]), card.replace(name=config.name or config.model)


def _existing(initial: tuple[nn.Module, ModelCard], data: TrainingData, config: TrainConfig) -> tuple[nn.Module, ModelCard]:
    model, card = initial
    if find(card.task).needs_labels and card.labels != data.labels:
        raise InputError(
            f"--data: the classes are {', '.join(data.labels)}, but those of {card.name} are {', '.join(card.labels)}",
            "name the data that it was trained on",
        )
    return model, card.replace(name=config.name or card.name)


def _silent(_: str) -> None:
    """Print nothing: used in all processes of a group except the main one."""


def prepare(config: TrainConfig, group: ProcessGroup | None = None) -> None:
    """Download the data if configured, and create the output folder; raises ``InputError`` if it holds another training."""
    group = group or ProcessGroup()
    if config.download:
        from edgecnn.data.download import fetch_fashion_mnist

        if config.data[0].startswith(SCENE):
            raise InputError("--download is for Fashion-MNIST, but --data is a scene, which is rendered", "leave --download out")
        with group.main_first():
            fetch_fashion_mnist(parse_address(config.data[0]).path)
    existing = [name for name in (CHECKPOINT, STATE) if (config.out / name).exists()]
    if existing and not config.resume:
        raise InputError(
            f"--out: {config.out} holds a training ({existing[0]})", "continue it with --resume, or choose another folder"
        )
    try:
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: can't write to {config.out} ({error.strerror or error})", "choose another folder") from error


def _model_options(config: TrainConfig, data: TrainingData, task: TaskName) -> dict[str, Any]:
    """The model's defaults, changed by the data (but for a detector's size and channels) and by the configuration."""
    found = defaults(config.model)
    if find(task).needs_labels:
        found["classes"] = len(data.labels)
    if trained(task).fits_images:
        height, width = data.train[0].samples[0].read().shape[:2]
        size = (height, width) if max(height, width) <= MAX_DEFAULT_SIDE else (MAX_DEFAULT_SIDE, MAX_DEFAULT_SIDE)
        found |= {"channels": channels(data.train), "size": size, "head": task}
    return found | config.network()


def _summary(card: ModelCard, data: TrainingData, model: nn.Module, machine: hardware.Hardware, group: ProcessGroup) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    val = f", scored on {counted(len(data.val), 'other')}" if data.val else ""
    amp = "bfloat16" if machine.bf16 else "float32"
    processes = f", {group.size} processes" if group.size > 1 else ""
    images = f"{counted(data.count, 'image')}, {len(data.labels)} classes{val}"
    return f"{card.name}, {count:,} parameters: {images}; {machine.device}, {amp}{processes}"
