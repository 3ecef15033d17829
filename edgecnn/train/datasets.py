"""The datasets of a training: opened, checked against the model, and divided into what is learnt, watched and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from edgecnn.data import Dataset, dataset_splits, open_dataset
from edgecnn.data.address import with_default
from edgecnn.data.cache import remember
from edgecnn.data.join import join
from edgecnn.data.problems import check_strict, problem_lines, to_stderr
from edgecnn.data.pseudo_labels import Teacher, pseudo_label
from edgecnn.data.relabel import to_classes
from edgecnn.data.splits import divide, group_indices
from edgecnn.data.unlabelled import to_fill
from edgecnn.errors import InputError
from edgecnn.train.options import TrainOptions


@dataclass(frozen=True, slots=True)
class Material:
    """``learn`` is trained on, ``watch`` is scored after each epoch, ``measure`` once at the end (None: the same as ``watch``).

    Nothing is ever chosen by the score on ``measure``, and no weights are chosen by ``watch`` either: the last average is kept.
    ``sources`` say for the card what each dataset to learn from is, and what was added to it.
    """

    learn: tuple[Dataset, ...]
    watch: Dataset | None
    measure: Dataset | None
    sources: tuple[Mapping[str, Any], ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, the same in all of them."""
        return self.learn[0].labels

    @property
    def count(self) -> int:
        """Number of images to learn from."""
        return sum(len(dataset) for dataset in self.learn)


def gather(
    options: TrainOptions, task: str, teachers: Sequence[Teacher] = (), warn: Callable[[str], None] = to_stderr
) -> Material:
    """Open all datasets, hold a part out where there is none to score on, and have ``teachers`` fill what is not labelled.

    What is wrong in the files is told of with ``warn``. Raises ``InputError`` for a dataset that is missing, broken, of another task or
    with other classes, for a class that is labelled in none, and where ``options.strict`` for any problem; ``ValueError`` where the
    teachers are not those of ``options.pseudo``.
    """
    if len(teachers) != len(options.pseudo):
        raise ValueError(f"wanted {len(options.pseudo)} teachers as in the options, found {len(teachers)}: give one for each")
    learn = [_open(uri, "train", options, warn) for uri in options.data]
    watch = [_open(uri, "val", options, warn) for uri in options.val]
    for dataset in (*learn, *watch):
        _check(dataset, task, learn[0].labels)
    if not watch and options.val_fraction:
        learn, watch = _hold_out_each(learn, options, warn)
    sources = [_source(dataset) for dataset in learn]
    for teacher in teachers:
        learn = [_taught(dataset, teacher, options.out, index, sources[index]) for index, dataset in enumerate(learn)]
    _check_labelled(learn)
    return Material(tuple(learn), remember(join(watch)) if watch else None, _test(options, warn), tuple(sources))


def _open(uri: str, part: Literal["train", "val", "test"], options: TrainOptions, warn: Callable[[str], None]) -> Dataset:
    """The part of a dataset to learn from or to score on, with the wanted groups and classes, its problems told."""
    uri = with_default(uri, "group", options.group_by) if options.group_by else uri
    dataset = open_dataset(uri, split=_split(uri, part), limit=options.limit if part == "train" else options.val_limit)
    if options.strict:
        check_strict(dataset)
    for line in problem_lines(dataset):
        warn(line)
    if options.pseudo and part == "train" and not dataset.labels:
        if not options.classes:
            raise InputError(f"the classes to label {dataset.name} with", "none", "name them with --classes")
        return to_fill(dataset, options.classes)
    return to_classes(dataset, options.classes) if options.classes else dataset


def _hold_out_each(
    learn: list[Dataset], options: TrainOptions, warn: Callable[[str], None]
) -> tuple[list[Dataset], list[Dataset]]:
    """What is left of each dataset to learn from, and the parts that are held out; one with a single group has none to spare."""
    left, held = [], []
    for dataset in learn:
        if len(dataset.unlabelled) == len(dataset.labels):  # what a teacher says of it is not to be scored by
            left.append(dataset)
            continue
        if len(group_indices(dataset)) < 2:
            warn(f"{dataset.name}: {len(dataset)} images of one group, none is held out; name others to score on with --val")
            left.append(dataset)
            continue
        kept, out = divide(dataset, options.val_fraction, options.seed)
        left.append(kept)
        held.append(out)
    return left, held


def _taught(dataset: Dataset, teacher: Teacher, out: Path, index: int, source: dict[str, Any]) -> Dataset:
    """The dataset with a teacher's boxes for what it does not label; what was added is noted in ``source``."""
    classes = {own: wanted for own, wanted in teacher.classes(dataset.labels).items() if wanted in dataset.unlabelled}
    if not classes:
        return dataset
    cache = out / f"pseudo-{index}-{dataset.name}-{Path(teacher.name).stem}.json"
    with tqdm(total=len(dataset), desc=f"pseudo-labels for {dataset.name}", unit="image", disable=None, leave=False) as bar:
        found = pseudo_label(
            dataset,
            teacher.predict,
            classes,
            teacher.threshold,
            lower=teacher.lower,
            cache=cache,
            key=f"{teacher.sha256} {', '.join(teacher.labels)}",
            progress=lambda done, total: bar.update(),
        )
    note = {"teacher": teacher.name, "sha256": teacher.sha256, "threshold": teacher.threshold, "lower": teacher.lower}
    source["pseudo"] = [*source.get("pseudo", []), {**note, "boxes": dict(found.boxes), "ignored": dict(found.ignored)}]
    return found.dataset


def _source(dataset: Dataset) -> dict[str, Any]:
    """What a card says of a dataset that was learnt from; plain values."""
    found: dict[str, Any] = {"dataset": dataset.name, "split": dataset.split, "images": len(dataset)}
    if dataset.unlabelled:
        found["unlabelled"] = [dataset.labels[index] for index in sorted(dataset.unlabelled)]
    return found | ({"problems": len(dataset.problems)} if dataset.problems else {})


def _check_labelled(learn: Sequence[Dataset]) -> None:
    nowhere = frozenset.intersection(*(dataset.unlabelled for dataset in learn))
    if nowhere:
        names = ", ".join(learn[0].labels[index] for index in sorted(nowhere))
        raise InputError(
            "each class labelled in at least one dataset",
            f"none with {names}",
            "add one, a teacher with --pseudo, or leave it out",
        )


def _split(uri: str, name: str) -> str | None:
    """The part of a dataset to use: the one of that name where it is divided."""
    found = dataset_splits(uri)
    if not found:
        return None
    same = {"train": ("train", "training"), "val": ("val", "valid", "validation", "test"), "test": ("test",)}[name]
    return next((part for want in same for part in found if part.lower() == want), None)


def _test(options: TrainOptions, warn: Callable[[str], None]) -> Dataset | None:
    parts = dataset_splits(options.data[0]) if len(options.data) == 1 else ()
    return _open(options.data[0], "test", options, warn) if "test" in parts else None


def _check(dataset: Dataset, task: str, labels: tuple[str, ...]) -> None:
    if dataset.task != task or not dataset.labels:
        kind = dataset.task if dataset.labels else "images without labels"
        raise InputError(f"a dataset to {task}", f"{dataset.name}: {kind}", "name another dataset, or a model for that task")
    if dataset.labels != labels:
        found = f"{', '.join(dataset.labels)} in {dataset.name}"
        do = "train on datasets with the same classes, or give the list to bring them to with --classes"
        raise InputError(f"the classes {', '.join(labels)}", found, do)


def channels(datasets: Sequence[Dataset], looked_at: int = 8) -> int:
    """1 where the first images have no colour, else 3."""
    images = [datasets[0].samples[index].read() for index in range(min(looked_at, len(datasets[0])))]
    gray = all((image[..., :1] == image).all() for image in images)
    return 1 if gray else 3
