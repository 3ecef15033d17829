"""Opens the datasets of a training run, checks them against the model, and splits them into train, val and test."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from edgecnn.counts import counted
from edgecnn.data import Dataset, dataset_splits, open_dataset
from edgecnn.data.address import shown_address, with_default
from edgecnn.data.cache import cache_samples
from edgecnn.data.ensemble import Consensus
from edgecnn.data.for_task import labels_of_boxes
from edgecnn.data.formats.unlabelled import to_unlabelled_boxes
from edgecnn.data.join import join
from edgecnn.data.problems import check_strict, to_stderr
from edgecnn.data.pseudo_labels import PseudoLabeler, pseudo_label
from edgecnn.data.recognition import report_lines
from edgecnn.data.relabel import to_classes
from edgecnn.data.split_names import part_of
from edgecnn.data.splits import group_indices, shared_groups, train_val_split
from edgecnn.errors import InputError
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.train.config import TrainConfig
from edgecnn.train.objectives import trained

SHOWN_GROUPS = 5


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The datasets of a training run: ``val`` is evaluated after each epoch, ``test`` (or else ``val``) once at the end.

    No weights are selected by the score on either: the average after the last epoch is the result. ``sources`` describe each training
    dataset and its pseudo-labels, for the card.
    """

    train: tuple[Dataset, ...]
    val: Dataset | None
    test: Dataset | None
    sources: tuple[Mapping[str, Any], ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, the same in all datasets."""
        return self.train[0].labels

    @property
    def count(self) -> int:
        """Number of training images."""
        return sum(len(dataset) for dataset in self.train)


def load_datasets(
    config: TrainConfig,
    task: TaskName,
    teachers: Sequence[PseudoLabeler] = (),
    warn: Callable[[str], None] = to_stderr,
    *,
    further: bool = False,
) -> TrainingData:
    """Open all datasets, split off validation images where none are configured, and add the pseudo-labels of ``teachers``.

    Problems in the files are reported through ``warn``. A network that is trained ``further`` may keep classes that are labelled in none.
    Raises ``InputError`` for a dataset that is missing, broken, of another task or
    with other classes, for a class that is labelled in none, and with ``config.strict`` for any problem; ``ValueError`` where the
    teachers are not those of ``config.pseudo``.
    """
    if len(teachers) != len(config.pseudo):
        raise ValueError(f"{len(teachers)} teachers do not match the {len(config.pseudo)} in config.pseudo")
    train = [_open(uri, "train", task, config, warn) for uri in config.data]
    val = [_open(uri, "val", task, config, warn) for uri in config.val]
    for dataset in (*train, *val):
        _check(dataset, task, train[0].labels)
    for dataset in train:
        _warn_of_shared_groups(dataset, val, warn)
    if not val:
        for uri in config.data:
            _tell_unused(uri, warn)
    if not val and config.val_fraction:
        train, val = _split_each(train, config, warn)
    sources = [_source(dataset) for dataset in train]
    if teachers:
        train = [_pseudo_labelled(dataset, teachers, config, index, sources[index]) for index, dataset in enumerate(train)]
    if not further:
        _check_labelled(train)
    # validation images are used after each epoch: they are read once
    return TrainingData(tuple(train), cache_samples(join(val)) if val else None, _test(config, task, warn), tuple(sources))


def _open(
    uri: str, part: Literal["train", "val", "test"], task: TaskName, config: TrainConfig, warn: Callable[[str], None]
) -> Dataset:
    """A split of a dataset with the configured groups and classes; reports its problems."""
    uri = with_default(uri, "group", config.group_by) if config.group_by else uri
    limit = config.limit if part == "train" else config.val_limit
    dataset = open_dataset(uri, split=_split(uri, part), limit=limit, task=task)
    if config.strict:
        check_strict(dataset)
    for line in report_lines(dataset):
        warn(line)
    if config.pseudo and part == "train" and not dataset.labels:
        if not config.classes:
            raise InputError(f"--pseudo: {dataset.name} has no classes to label", "name them with --classes")
        return to_unlabelled_boxes(dataset, config.classes)
    dataset = labels_of_boxes(to_classes(dataset, config.classes) if config.classes else dataset, task)
    return dataclasses.replace(dataset, task=task) if find(task).truth == "read" else dataset  # any images are training data


def _warn_of_shared_groups(train: Dataset, val: Sequence[Dataset], warn: Callable[[str], None]) -> None:
    """Say that groups are in both splits of one dataset: validation images then look like those that were learnt."""
    for dataset in val:
        # another dataset, or a scene of another seed, may have groups of the same names
        groups = shared_groups(train, dataset) if train.kind and train.name == dataset.name else []
        if groups:
            more = f", ... ({len(groups)} in all)" if len(groups) > SHOWN_GROUPS else ""
            shown = ", ".join(groups[:SHOWN_GROUPS]) + more
            warn(
                f"{train.name}: clips or groups of images in both train and {dataset.split}: {shown}; val_fraction= divides by group"
            )


def _tell_unused(uri: str, warn: Callable[[str], None]) -> None:
    """Say that a dataset has a validation split of its own, which is used only where --val names it."""
    unused = next((name for name in dataset_splits(uri) if part_of(name) == "val"), None)
    if unused is not None:
        warn(f"the split {unused} of {shown_address(uri)} is not used; to validate with it, name the dataset with --val, too")


def _split_each(train: list[Dataset], config: TrainConfig, warn: Callable[[str], None]) -> tuple[list[Dataset], list[Dataset]]:
    """Training and validation images of each dataset; one with a single group is not split."""
    left, held = [], []
    for dataset in train:
        if dataset.labels and len(dataset.unlabelled) == len(
            dataset.labels
        ):  # pseudo-labels are no ground truth to evaluate with
            left.append(dataset)
            continue
        if len(group_indices(dataset)) < 2:
            warn(
                f"warning: {dataset.name}: its {counted(len(dataset), 'image')} are one group, which is never split: "
                "training goes on without validation images of it; --val names some"
            )
            left.append(dataset)
            continue
        kept, out = train_val_split(dataset, config.val_fraction, config.seed)
        left.append(kept)
        held.append(out)
    return left, held


def _pseudo_labelled(
    dataset: Dataset, teachers: Sequence[PseudoLabeler], config: TrainConfig, index: int, source: dict[str, Any]
) -> Dataset:
    """The dataset with the teachers' boxes for the classes it does not label; their number is added to ``source``."""

    def cache(teacher: PseudoLabeler) -> Path:
        return config.out / f"pseudo-{index}-{dataset.name}-{Path(teacher.name).stem}.json"

    with tqdm(total=len(dataset), desc=f"pseudo-labels for {dataset.name}", unit="image", disable=None, leave=False) as bar:
        consensus = Consensus(config.pseudo_votes, config.pseudo_iou)
        found = pseudo_label(dataset, teachers, consensus, cache=cache, progress=lambda done, total: bar.update())
    if found.record:
        source["pseudo"] = dict(found.record)
    return found.dataset


def _source(dataset: Dataset) -> dict[str, Any]:
    """The description of a training dataset for a card; plain values."""
    found: dict[str, Any] = {"dataset": dataset.name, "split": dataset.split, "images": len(dataset)}
    if dataset.sources:
        found["made_of"] = [dict(source) for source in dataset.sources]
    if dataset.unlabelled:
        found["unlabelled"] = [dataset.labels[index] for index in sorted(dataset.unlabelled)]
    return found | ({"problems": len(dataset.problems)} if dataset.problems else {})


def _check_labelled(train: Sequence[Dataset]) -> None:
    nowhere = frozenset.intersection(*(dataset.unlabelled for dataset in train))
    if nowhere:
        names = ", ".join(train[0].labels[index] for index in sorted(nowhere))
        raise InputError(
            f"--classes: no dataset labels {names}", "add one that does, a teacher with --pseudo, or leave the class out"
        )


def _split(uri: str, name: str) -> str | None:
    """The dataset's name for a split, such as "valid" for "val"; None if the dataset has no such split."""
    found = dataset_splits(uri)
    if not found:
        return None
    wanted = ("val", "test") if name == "val" else (name,)
    return next((part for want in wanted for part in found if part_of(part) == want), None)


def _test(config: TrainConfig, task: TaskName, warn: Callable[[str], None]) -> Dataset | None:
    parts = dataset_splits(config.data[0]) if len(config.data) == 1 else ()
    return _open(config.data[0], "test", task, config, warn) if any(part_of(name) == "test" for name in parts) else None


def _check(dataset: Dataset, task: TaskName, labels: tuple[str, ...]) -> None:
    if dataset.task != (trained(task).data or task) or not (dataset.labels or find(task).truth == "read"):
        kind = f"is for the task {dataset.task}" if dataset.labels else "has images without labels"
        raise InputError(
            f"--data: {dataset.name} {kind}, but the model is for the task {task}",
            "name another dataset, or a model for that task",
        )
    if find(task).needs_labels and dataset.labels != labels:
        raise InputError(
            f"--data: {dataset.name} has the classes {', '.join(dataset.labels)}, but the first dataset {', '.join(labels)}",
            "train on datasets with the same classes, or map them to common ones with --classes",
        )


def channels(datasets: Sequence[Dataset], looked_at: int = 8) -> int:
    """Number of input channels: 1 if the first ``looked_at`` images are gray, else 3."""
    images = [datasets[0].samples[index].read() for index in range(min(looked_at, len(datasets[0])))]
    gray = all((image[..., :1] == image).all() for image in images)
    return 1 if gray else 3
