"""`edgecnn thresholds`: runs a detector on held-out images and chooses the score from which boxes of each class are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel, opened_model
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.card import CLASS_THRESHOLDS, ModelCard
from edgecnn.data import dataset_splits
from edgecnn.data.split_names import VAL
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError
from edgecnn.metrics.object_match import RIGHT
from edgecnn.shown_scores import ShownScores, shown_scores, with_class_thresholds
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import outcomes
from edgecnn.trust.accuracy.error_cost import ErrorCollector
from edgecnn.trust.card_file import stored_card
from edgecnn.trust.class_thresholds.choose import LEAST_OBJECTS, ClassChoice, choose_threshold
from edgecnn.trust.judgement import judge
from edgecnn.types import Array

SCHEMA, VERSION = "edgecnn.thresholds", 1
CHOSEN_KEY: Final = "thresholds"  # in the record ``training`` of a card: what its class thresholds were chosen on
CRITERION: Final = "largest F1 at an overlap of 0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdConfig:
    """A detector and the addresses of the held-out images.

    ``split`` None: the validation split, where there is one, else as in an evaluation. ``limit``: images of each dataset at most.
    ``renames``: "a=b,...", for classes of datasets and model. A class with fewer than ``least`` objects keeps its threshold.
    ``allow_overlap``: images that the model was trained on are used, too.
    """

    file: Path
    data: tuple[str, ...]
    split: str | None = None
    limit: int | None = None
    renames: str | None = None
    least: int = LEAST_OBJECTS
    allow_overlap: bool = False
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None

    def evaluation(self, address: str) -> EvaluationConfig:
        """How the file is run on one of the datasets."""
        data = DatasetSelection(
            address, self.split or _validation(address), self.limit, self.renames, allow_overlap=self.allow_overlap
        )
        return EvaluationConfig(file=self.file, data=data, device=self.device, engine=self.engine, threads=self.threads)


@dataclass(frozen=True, slots=True)
class ChosenThresholds:
    """The choice for each class of the model in ``file``, made on ``images`` of the datasets with these names and splits."""

    file: Path
    data: tuple[str, ...]
    images: int
    classes: tuple[ClassChoice, ...]
    notes: tuple[str, ...]

    @property
    def scores(self) -> tuple[tuple[str, float], ...]:
        """The classes that get their own threshold, with it."""
        return tuple((one.label, one.chosen.threshold) for one in self.classes if one.chosen is not None)

    def in_card(self, card: ModelCard) -> ModelCard:
        """The card with these thresholds, and a note of what they were chosen on; other classes keep the thresholds that they have."""
        classes = [label for label, _ in self.scores]
        record = {"data": list(self.data), "images": self.images, "criterion": CRITERION, "classes": classes}
        changed = with_class_thresholds(card, self.scores or None)
        return changed.replace(training={**card.training, CHOSEN_KEY: record})

    def to_document(self) -> dict[str, Any]:
        """The JSON document of `edgecnn thresholds --json`."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "file": self.file.name,
            "data": list(self.data),
            "images": self.images,
            "criterion": CRITERION,
            CLASS_THRESHOLDS: dict(self.scores),
            "classes": [one.to_dict() for one in self.classes],
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class _ClassBoxes:
    """The boxes of one class of the model in all images: scores and whether they are right; how many objects there are to find."""

    score: list[Array] = field(default_factory=list)
    right: list[Array] = field(default_factory=list)
    objects: int = 0


def choose_thresholds(
    config: ThresholdConfig, *, report: Progress = no_progress, progress: Callable[[int, int], None] | None = None
) -> ChosenThresholds:
    """Run the file on each dataset and choose.

    ``report`` gets lines about problems of the datasets, ``progress`` (done, total) images of a dataset. Raises ``InputError`` for a
    model that is no detector, ``OverlapError`` for images that the model was trained or calibrated on, and what opening file and
    datasets raises.
    """
    _check_detector(config.file, stored_card(config.file))
    boxes: dict[str, _ClassBoxes] = {}
    present = ShownScores()
    data, notes, images = [], [], 0
    for address in config.data:
        own = config.evaluation(address)
        with opened_model(own, report) as model:
            _check_detector(config.file, model.card)
            present = shown_scores(model.card)
            boxes = boxes or {label: _ClassBoxes() for label in model.card.labels}
            images += _collect(model, boxes, progress)
            data.append(f"{own.data}, {model.opened.split}" if model.opened.split else str(own.data))
            notes += [*model.classes.notes, *model.overlap.finish().notes]
    classes = [
        choose_threshold(label, *_joined(own), own.objects, present=present.one(index), least=config.least)
        for index, (label, own) in enumerate(boxes.items())
    ]
    return ChosenThresholds(config.file, tuple(data), images, tuple(classes), tuple(dict.fromkeys(notes)))


def _check_detector(file: Path, card: ModelCard | None) -> None:
    if card is not None and not find(card.task).has_boxes:
        raise InputError(f"{file.name} is no detector, its task is {card.task}", "name a detector")


def _collect(model: OpenedModel, boxes: dict[str, _ClassBoxes], progress: Callable[[int, int], None] | None) -> int:
    """Add the boxes and objects of a dataset; how many images could be read."""
    found, images = ErrorCollector(), 0
    for done, (sample, outcome) in enumerate(outcomes(model.predictor, model.dataset.samples), 1):
        if not isinstance(outcome, InputError):
            found.add(judge(outcome, sample, model.classes, threshold=0.0))
            images += 1
        if progress is not None:
            progress(done, len(model.dataset))
    if not images:
        raise InputError(f"--data: no image of {model.opened.name} can be read", "check the dataset")
    table = found.table()
    for class_id, label in _measured(model):
        own = table.boxes[:, 1] == class_id
        boxes[label].score.append(table.score[own])
        boxes[label].right.append(table.boxes[own, 2] == RIGHT)
        boxes[label].objects += int((table.objects[:, 1] == class_id).sum())
    return images


def _measured(model: OpenedModel) -> list[tuple[int, str]]:
    """The classes of the dataset that one class of the model alone is measured by, with the name of that one."""
    places = model.classes.dataset_class
    return [
        (int(place), label)
        for label, place in zip(model.card.labels, places, strict=False)
        if place >= 0 and np.count_nonzero(places == place) == 1
    ]


def _joined(own: _ClassBoxes) -> tuple[Array, Array]:
    none = np.zeros(0, np.float32), np.zeros(0, np.bool_)
    return np.concatenate([none[0], *own.score]), np.concatenate([none[1], *own.right])


def _validation(address: str) -> str | None:
    """The validation split of a dataset; the test split is for the figures that are reported."""
    return next((name for name in dataset_splits(address) if name.lower() in VAL), None)
