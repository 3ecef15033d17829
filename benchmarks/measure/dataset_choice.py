"""Which data a benchmark measures with: the same choices as `edgecnn evaluate` has."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, held_out_split, open_dataset
from edgecnn.data.address import shown_address
from edgecnn.data.naming import name_both
from edgecnn.errors import InputError
from edgecnn.metrics import ClassMap
from edgecnn.metrics.average_precision import load_pycocotools


@dataclass(frozen=True, slots=True)
class DataChoice:
    """A dataset by its address, which part of it, how many images, and other names for classes ("a=b,...", one name for all)."""

    uri: str
    split: str | None = None
    limit: int | None = None
    renames: str | None = None
    merge: str | None = None

    def open(self, least: int = 0) -> Dataset:
        """The dataset; without ``split`` the part that was held out of training. Raises what ``open_dataset`` raises.

        ``least`` is how many images are wanted even where the limit for the accuracy is lower.
        """
        limit = None if self.limit is None else max(self.limit, least)
        return open_dataset(self.uri, split=self.split or held_out_split(self.uri), limit=limit)

    def named(self, dataset: Dataset, labels: tuple[str, ...]) -> tuple[Dataset, ClassMap]:
        """The dataset with its new names, and which class of the model each is; raises ``InputError`` where none is the same."""
        return name_both(dataset, labels, self.renames, self.merge)

    def check(self, dataset: Dataset, card: ModelCard) -> None:
        """Raise what would stop the accuracy of a model with ``card``, before anything long is measured."""
        if dataset.task != card.task:
            raise InputError(f"a dataset to {card.task}, as {card.name} does", f"one to {dataset.task}", "name another dataset")
        if card.task == "detect":
            load_pycocotools()
        self.named(dataset, card.labels)

    def __str__(self) -> str:
        """For a report: a path is cut to its last part, because reports are given away."""
        return shown_address(self.uri)
