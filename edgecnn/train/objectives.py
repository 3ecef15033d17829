"""What training depends on by task: the objective, the card of a new model, and whether its input has the size of the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgecnn.card import ModelCard, Preprocess
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.task_names import TaskName
from edgecnn.train.classify import ClassificationObjective
from edgecnn.train.config import TrainConfig
from edgecnn.train.detect import DetectionObjective
from edgecnn.train.embed import EmbeddingObjective
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.multilabel import MultiLabelObjective
from edgecnn.train.objective import Objective
from edgecnn.train.pose import PoseObjective
from edgecnn.train.regress import RegressionObjective, with_target_scale
from edgecnn.train.restore import RestorationObjective, originals
from edgecnn.train.segment import SegmentationObjective

DEFAULT_REACH = 8.0


@dataclass(frozen=True, slots=True)
class TrainedTask:
    """``objective`` of loaded images, ``prepare`` changes the card of a new model by the training data.

    ``fits_images``: size and channels of the input follow the images where none are given; else they are those of the model.
    ``data`` is the task of the datasets, if that is another one. ``loaded`` is how images are loaded into memory.
    """

    objective: Callable[[InMemoryImages, ModelCard, TrainConfig], Objective]
    prepare: Callable[[ModelCard, Sequence[Dataset]], ModelCard] = lambda card, _: card
    fits_images: bool = True
    data: TaskName | None = None
    loaded: Callable[[ModelCard], Preprocess] = lambda card: card.preprocess


def _classify(images: InMemoryImages, card: ModelCard, config: TrainConfig) -> Objective:
    return ClassificationObjective(images, card.preprocess, config, len(card.labels))


def _windows(images: InMemoryImages, card: ModelCard, config: TrainConfig) -> Objective:
    return ClassificationObjective(images, card.preprocess, config, len(card.labels), "signal")


def with_signal(card: ModelCard, datasets: Sequence[Dataset]) -> ModelCard:
    """The card with the sample rate, the hop and the channels of the training signals; raises ``InputError`` where windows do not fit."""
    signal = datasets[0].signal
    shape, size = datasets[0].samples[0].read().shape[:2], card.preprocess.size
    if signal is None or shape != size:
        raise InputError(
            f"--data: windows of {shape[0]} channels and {shape[1]} samples do not fit a model for {size[0]} and {size[1]}",
            f"train it with --size {shape[0]}x{shape[1]}",
        )
    return card.replace(preprocess=dataclasses.replace(card.preprocess, signal=signal))


def _detect(images: InMemoryImages, card: ModelCard, config: TrainConfig) -> Objective:
    reach = float(card.model["options"].get("reach", DEFAULT_REACH))
    return DetectionObjective(images, card.preprocess, config, reach)


def _segment(images: InMemoryImages, card: ModelCard, config: TrainConfig) -> Objective:
    return SegmentationObjective(images, card.preprocess, config)


TRAINED: Mapping[TaskName, TrainedTask] = {
    "classify": TrainedTask(_classify),
    "detect": TrainedTask(_detect, fits_images=False),
    "segment": TrainedTask(_segment, fits_images=False),
    "pose": TrainedTask(PoseObjective, fits_images=False),
    "regress": TrainedTask(RegressionObjective, prepare=with_target_scale),
    "signal": TrainedTask(_windows, with_signal, fits_images=False),
    "multilabel": TrainedTask(MultiLabelObjective),
    "restore": TrainedTask(RestorationObjective, fits_images=False, loaded=originals),
    "embed": TrainedTask(EmbeddingObjective, fits_images=False, data="classify"),
}


def trained(task: TaskName) -> TrainedTask:
    """How a task is trained; raises ``InputError`` for one that is not."""
    if task not in TRAINED:
        raise InputError(f"a model of the task {task} can't be trained here", f"train one of {', '.join(TRAINED)}")
    return TRAINED[task]
