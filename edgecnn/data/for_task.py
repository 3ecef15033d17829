"""Turns a dataset into one of a model's task, where the task has no datasets of its own."""

from __future__ import annotations

import dataclasses

from edgecnn.card import ModelCard
from edgecnn.data.sample import Dataset
from edgecnn.tasks import find


def for_task(dataset: Dataset, card: ModelCard) -> Dataset:
    """The dataset for the model of ``card``; unchanged where that needs a dataset of its own kind.

    A dataset with the same ground truth fits: images with classes are also those of embeddings, whose classes should be similar.
    """
    same = bool(find(card.task).truth) and find(card.task).truth == find(dataset.task).truth
    return dataclasses.replace(dataset, task=card.task) if same else dataset
