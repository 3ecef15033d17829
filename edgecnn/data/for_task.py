"""Turns a dataset into one of a model's task, where the task has no datasets of its own."""

from __future__ import annotations

import dataclasses

from edgecnn.card import ModelCard
from edgecnn.data.sample import Dataset


def for_task(dataset: Dataset, card: ModelCard) -> Dataset:
    """The dataset for the model of ``card``; unchanged where that needs a dataset of its own kind.

    Images with classes are also those of embeddings: images of one class should be similar.
    """
    if card.task == "embed" and dataset.task == "classify":
        return dataclasses.replace(dataset, task="embed")
    return dataset
