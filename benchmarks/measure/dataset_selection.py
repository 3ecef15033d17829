"""The dataset of a measurement: the dataset options that `edgecnn evaluate` and `edgecnn benchmark` share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, held_out_split, open_dataset
from edgecnn.data.address import shown_address
from edgecnn.data.for_task import for_task
from edgecnn.data.overlap import OverlapWatch
from edgecnn.data.problems import check_strict
from edgecnn.data.relabel import match_classes
from edgecnn.data.unseen_part import unseen_part
from edgecnn.errors import InputError
from edgecnn.metrics import ClassMap
from edgecnn.shown_scores import shown_scores
from edgecnn.task_names import TaskName
from edgecnn.tasks import find


@dataclass(frozen=True, slots=True)
class DatasetSelection:
    """The address of a dataset, a selection of its images, and new names for its classes.

    ``split``: None for the test split, else the validation split, else all images. ``limit``: maximum number of images.
    ``every``: use only every N-th image, by file name. ``renames``: "a=b,...", for classes of dataset and model. ``merge``: one
    name for all classes of the dataset. ``labels``: class names of a dataset whose files have none. ``strict``: opening it raises
    ``InputError`` for any problem in its files. ``allow_overlap``: images that a model was trained or calibrated on are measured, too.
    Raises ``ValueError`` where ``limit`` or ``every`` is below 1.
    """

    uri: str
    split: str | None = None
    limit: int | None = None
    renames: str | None = None
    merge: str | None = None
    labels: str | None = None
    every: int = 1
    strict: bool = False
    allow_overlap: bool = False

    def __post_init__(self) -> None:
        if (self.limit is not None and self.limit < 1) or self.every < 1:
            raise ValueError(f"limit is {self.limit} and every is {self.every}; both must be 1 or more")

    def open(self, at_least: int = 0, task: TaskName | None = None) -> Dataset:
        """The selected images; raises what ``open_dataset`` raises. ``at_least`` images are read even above ``limit``.

        ``task`` is that of the model, whose ground truth is read where a dataset has several.
        """
        limit = None if self.limit is None else max(self.limit, at_least)
        split = self.split or held_out_split(self.uri)
        dataset = open_dataset(self.uri, split=split, labels=self.labels, limit=limit and limit * self.every, task=task)
        if self.strict:
            check_strict(dataset)
        return dataset if self.every == 1 else dataset.take(self.every, limit)

    def match_classes(self, dataset: Dataset, card: ModelCard) -> tuple[Dataset, ClassMap]:
        """The dataset as one of the model's task, with its new names, and its classes matched with those of the model.

        Raises ``InputError`` where none matches.
        """
        fitting, classes = match_classes(for_task(dataset, card), card.labels, self.renames, self.merge)
        return fitting, dataclasses.replace(classes, shown=shown_scores(card))

    def watch(self, dataset: Dataset, cards: Mapping[str, ModelCard]) -> OverlapWatch:
        """Compares the images with those that the models were made from (by the name of their file) while they are read."""

        def opened(uri: str) -> Dataset:
            card = next(iter(cards.values()))
            return for_task(open_dataset(uri, labels=self.labels, task=card.task), card)

        def unseen() -> str:
            found = unseen_part(self.uri, cards, opened)
            return f"{found} without --split" if found and self.split else found

        return OverlapWatch(cards, dataset, allowed=self.allow_overlap, unseen=unseen)

    def check(self, dataset: Dataset, card: ModelCard) -> None:
        """Raise errors of an accuracy measurement of a model with ``card`` before a long measurement starts."""
        find(card.task).check_measure()
        if for_task(dataset, card).task != card.task:
            raise InputError(
                f"{dataset.name} is a dataset to {dataset.task}, but {card.name} is a model to {card.task}",
                "name another dataset",
            )
        self.match_classes(dataset, card)

    def __str__(self) -> str:
        """For a report: a path is cut to its last part, because reports are shared with others."""
        return shown_address(self.uri)
