"""The datasets of a training: opened, checked against the model, and divided into what is learnt, watched and measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.data import Dataset, Sample, dataset_splits, open_dataset
from edgecnn.data.sample import LazySamples
from edgecnn.errors import InputError
from edgecnn.train.options import TrainOptions
from edgecnn.types import Image, Int64


@dataclass(frozen=True, slots=True)
class Material:
    """``learn`` is trained on, ``watch`` is scored after each epoch, ``measure`` once at the end (None: the same as ``watch``).

    Nothing is ever chosen by the score on ``measure``, and no weights are chosen by ``watch`` either: the last average is kept.
    """

    learn: tuple[Dataset, ...]
    watch: Dataset | None
    measure: Dataset | None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, the same in all of them."""
        return self.learn[0].labels

    @property
    def count(self) -> int:
        """Number of images to learn from."""
        return sum(len(dataset) for dataset in self.learn)


def gather(options: TrainOptions, task: str) -> Material:
    """Open all datasets.

    Raises ``InputError`` for one that is missing, broken, of another task or with other classes.
    """
    learn = tuple(open_dataset(uri, split=_split(uri, "train"), limit=options.limit) for uri in options.data)
    for dataset in learn:
        _check(dataset, task, learn[0].labels)
    watch = None
    if options.val:
        watch = open_dataset(options.val, split=_split(options.val, "val"), limit=options.val_limit)
        _check(watch, task, learn[0].labels)
    elif task == "classify" and options.hold_out and len(learn) == 1:
        kept, watch = hold_out(learn[0], options.hold_out, options.seed)
        learn = (kept,)
    return Material(learn, watch and remember(watch), _test(options))


def _split(uri: str, name: str) -> str | None:
    """The part of a dataset to use: the one of that name where it is divided."""
    found = dataset_splits(uri)
    if not found:
        return None
    same = {"train": ("train", "training"), "val": ("val", "valid", "validation", "test")}[name]
    return next((part for want in same for part in found if part.lower() == want), None)


def _test(options: TrainOptions) -> Dataset | None:
    parts = dataset_splits(options.data[0]) if len(options.data) == 1 else ()
    return open_dataset(options.data[0], split="test", limit=options.val_limit) if "test" in parts else None


def _check(dataset: Dataset, task: str, labels: tuple[str, ...]) -> None:
    if dataset.task != task or not dataset.labels:
        kind = dataset.task if dataset.labels else "images without labels"
        raise InputError(f"a dataset to {task}", f"{dataset.name}: {kind}", "name another dataset, or a model for that task")
    if dataset.labels != labels:
        found = f"{', '.join(dataset.labels)} in {dataset.name}"
        raise InputError(f"the classes {', '.join(labels)}", found, "train on datasets with the same classes")


def hold_out(dataset: Dataset, part: float, seed: int) -> tuple[Dataset, Dataset]:
    """Divide at random by ``seed`` into the larger part and ``part`` (0..1) of it, at least one image, both in the old order."""
    count = len(dataset)
    held = max(round(count * part), 1)
    if held >= count:
        raise InputError("more images to train on", f"{count} in {dataset.name}", "use a larger dataset")
    order = np.random.default_rng((seed, count)).permutation(count)
    return pick(dataset, np.sort(order[held:])), pick(dataset, np.sort(order[:held]))


def pick(dataset: Dataset, indices: Int64) -> Dataset:
    """Only the samples with these indices."""
    return dataclasses.replace(dataset, samples=LazySamples(len(indices), lambda index: dataset.samples[int(indices[index])]))


def remember(dataset: Dataset) -> Dataset:
    """The same dataset, each image of which is read only once."""
    kept: dict[int, Sample] = {}

    def make(index: int) -> Sample:
        if index not in kept:
            sample = dataset.samples[index]
            kept[index] = dataclasses.replace(sample, read=_Once(sample))
        return kept[index]

    return dataclasses.replace(dataset, samples=LazySamples(len(dataset), make))


class _Once:
    """Reads an image the first time, and gives it again after that."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._image: Image | None = None

    def __call__(self) -> Image:
        if self._image is None:
            self._image = self._sample.read()
        return self._image


def channels(datasets: Sequence[Dataset], looked_at: int = 8) -> int:
    """1 where the first images have no colour, else 3."""
    images = [datasets[0].samples[index].read() for index in range(min(looked_at, len(datasets[0])))]
    gray = all((image[..., :1] == image).all() for image in images)
    return 1 if gray else 3
