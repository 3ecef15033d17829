"""Opens a dataset at an address: its format, split, images and classes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecnn.data.address import VAL_FRACTION, Address, parse_address, with_split
from edgecnn.data.crops import crops
from edgecnn.data.join import join
from edgecnn.data.problems import problem_line, short
from edgecnn.data.recognition import check_exists, recognize
from edgecnn.data.relabel import ignore_classes, merge_classes, rename_classes, to_classes
from edgecnn.data.sample import Dataset
from edgecnn.data.split_names import HELD_OUT, TEST, TRAIN, VAL, part_of
from edgecnn.data.splits import assign_groups, filter_by_list, train_val_split
from edgecnn.errors import InputError
from edgecnn.labels import parse_labels, parse_renames
from edgecnn.task_names import TaskName


def open_dataset(
    uri: str | Path,
    *,
    split: str | None = None,
    labels: Sequence[str] | str | None = None,
    limit: int | None = None,
    task: TaskName | None = None,
) -> Dataset:
    """Open a dataset: "scene:...", a folder (IDX, classes, YOLO, VOC, COCO, masks, values, labels, images) or a COCO .json file.

    Parameters may follow after a "?": see ``edgecnn.data.address``. ``split`` is the same as ``?split=``; None opens all images.
    ``labels``, a sequence, "a,b,c" or the path of a file with one name per line, are the names of classes 0, 1, ... where
    files have numbers (IDX, YOLO), and which classes to use, in which order, where files have names (not for the scene, which has
    its own). ``task`` chooses the ground truth where a dataset has several, as ``?task=`` does. ``limit`` keeps the first samples.
    Problems in the files are listed in ``problems`` of the result, by file and line.
    Raises ``InputError`` where the path is missing, is of no known kind or of several, has no such split or holds no image.
    """
    address = parse_address(uri)
    if task and not address.task:
        address = dataclasses.replace(address, task=task)
    return _open(address, split, labels, limit)


def check_there(uri: str) -> None:
    """Raise ``InputError`` for an address that can't be parsed, an unknown scene, or a path that does not exist; no file is read."""
    from edgecnn.data import bearing_dataset, drawn_dataset
    from edgecnn.scene import parse_scene

    address = parse_address(uri)
    if not address.is_scene:
        check_exists(address.path)
    elif address.place.partition("?")[0] not in (bearing_dataset.NAME, *drawn_dataset.NAMES):
        parse_scene(address.place)


def _open(address: Address, split: str | None, labels: Sequence[str] | str | None, limit: int | None = None) -> Dataset:
    if address.split and split and split != address.split:
        raise InputError(f"two splits of {address.place} are named, {address.split} and {split}", "name one")
    split = split or address.split
    if address.is_scene:
        return _cropped(_with_classes(_scene(address, split, limit), address), address).take(limit=limit)
    own_split, divided = _plan_split(address, split)
    dataset = _stored(address, own_split, labels or address.labels)
    if address.listing:
        dataset = filter_by_list(dataset, address.listing)
    dataset = dataset.take(address.every or 1)
    if address.group:
        dataset = assign_groups(dataset, address.group)
    dataset = _with_classes(dataset, address)
    return _cropped(_divide(dataset, address, divided) if divided else dataset, address).take(limit=limit)


def _cropped(dataset: Dataset, address: Address) -> Dataset:
    return crops(dataset, address.crops) if address.crops else dataset


def _plan_split(address: Address, split: str | None) -> tuple[tuple[str, ...] | None, str]:
    """The dataset's own splits to load, None for the whole dataset, and the part of a division of them: "train", "val" or "".

    The rule is in the docstring of ``edgecnn.data.address``.
    """
    own = _own_splits(address)
    part = part_of(split or "")
    part = "" if part == "test" else part
    if address.val_fraction is not None:
        if not part:
            problem = f"val_fraction= divides {address.place} into train and val, but split= is {split or 'missing'}"
            raise InputError(problem, "add split=train or split=val, or leave val_fraction= out")
        # the test split stays separate: its images must not reach a training by a new random split
        kept = tuple(name for name in own if name.lower() not in TEST)
        return (None if kept == own else kept), part
    if address.seed is not None and (own or not part):
        why = "has splits of its own" if own else "is not divided without split=train or split=val"
        raise InputError(f"seed= is that of a random split, but {address.place} {why}", "add val_fraction=, or leave seed= out")
    if split is None:
        return None, ""
    # no splits of its own: a random split by the default fraction
    if not own and part:
        return None, part
    return (_resolve(split, own, address.path),), ""


def _stored(address: Address, splits: tuple[str, ...] | None, labels: Sequence[str] | str | None) -> Dataset:
    path = address.path
    names = (parse_labels(labels) if isinstance(labels, str) else tuple(labels)) if labels else None
    with _readable(path):
        kind, evidence = recognize(path, address.format)
        loader = kind.loader(address.task)
        loaded = [loader.load(path, split, names) for split in splits or (None,)]
    if any((one.task, one.labels) != (loaded[0].task, loaded[0].labels) for one in loaded):
        raise InputError(f"the splits {', '.join(splits or ())} of {path} have different classes", "name them with labels=a,b,c")
    dataset = _each_once(join(loaded)) if len(loaded) > 1 else loaded[0]
    if not len(dataset):
        raise InputError(f"{path} has no usable image{_why_empty(dataset)}", "name another folder or split")
    own = "" if address.format else dataset.evidence  # a reader that says more exactly which files it read
    return dataclasses.replace(dataset, kind=kind.title, evidence=own or evidence)


def _each_once(dataset: Dataset) -> Dataset:
    """A dataset of several splits without copies: VOC's trainval repeats train and val, and lists may name an image twice.

    A new random split would otherwise put an image on both sides.
    """
    first: dict[str, int] = {}
    for index, sample in enumerate(dataset.samples):
        first.setdefault(sample.name, index)
    return dataset if len(first) == len(dataset) else dataset.pick(list(first.values()))


def _with_classes(dataset: Dataset, address: Address) -> Dataset:
    if address.rename:
        dataset = rename_classes(dataset, parse_renames(address.rename))
    if address.ignore:
        dataset = ignore_classes(dataset, parse_renames(address.ignore))
    if address.merge:
        dataset = merge_classes(dataset, address.merge)
    return to_classes(dataset, address.classes) if address.classes else dataset


def _divide(dataset: Dataset, address: Address, part: str) -> Dataset:
    train, val = train_val_split(dataset, address.val_fraction or VAL_FRACTION, address.seed or 0)
    return dataclasses.replace(train if part == "train" else val, split=part)


def _own_splits(address: Address) -> tuple[str, ...]:
    with _readable(address.path):
        return recognize(address.path, address.format)[0].loader(address.task).splits(address.path)


def dataset_splits(uri: str | Path) -> tuple[str, ...]:
    """The dataset's own splits to choose from, such as ("train", "test"); () if it has none or the address chooses itself.

    Raises as ``open_dataset`` does.
    """
    address = parse_address(uri)
    return () if address.is_scene or address.split or address.val_fraction is not None else _own_splits(address)


def held_out_split(uri: str | Path) -> str | None:
    """The split to evaluate on: test, else val; None where the dataset has neither or the address chooses itself."""
    there = {name.lower(): name for name in dataset_splits(uri)}
    return next((there[name] for name in HELD_OUT if name in there), None)


def held_out_parts(uri: str | Path) -> list[Dataset]:
    """The val and test parts that must not overlap with the training images at ``uri``, for instance in a calibration set."""
    address = parse_address(uri)
    if address.is_scene:
        return []
    own = _own_splits(address)
    if address.val_fraction is not None or not own:
        others = [open_dataset(with_split(uri, "val"))] if (address.split or "").lower() in TRAIN else []
        own = tuple(name for name in own if name.lower() in TEST) if others else ()
        return others + [_own_split(address, name) for name in own]
    if (address.split or "train").lower() not in TRAIN or not any(name.lower() in TRAIN for name in own):
        return []
    return [_own_split(address, name) for name in own if name.lower() in HELD_OUT]


def _own_split(address: Address, name: str) -> Dataset:
    """A split as it is stored, without the other selections of ``address``."""
    return _open(Address(place=address.place, format=address.format, task=address.task), name, address.labels)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"can't read the dataset {path}: {error.strerror}: {short(error.filename)}", "check the permissions"
        ) from error


def _scene(address: Address, split: str | None, limit: int | None) -> Dataset:
    from edgecnn.data import bearing_dataset, drawn_dataset
    from edgecnn.data.scene_dataset import dataset
    from edgecnn.scene import parse_scene

    if split:
        raise InputError(f"a scene has no splits, so no {split!r}", "leave --split out; another seed= gives other frames")
    if address.place.partition("?")[0] == bearing_dataset.NAME:
        return bearing_dataset.dataset(address.place, limit)
    if address.place.partition("?")[0] in drawn_dataset.NAMES:
        return drawn_dataset.dataset(address.place, address.task, limit).take(limit=limit)
    options = parse_scene(address.place)
    options = dataclasses.replace(options, count=limit) if options.count is None else options
    return dataset(options, address.task).take(limit=limit)


def _resolve(split: str, available: tuple[str, ...], path: Path) -> str:
    part = part_of(split)
    found = [name for name in available if name == split] or [
        name for name in available if (part_of(name) == part if part else name.lower() == split.lower())
    ]
    if found:
        return found[0]
    if not available:
        raise InputError(f"{path} has no split {split!r}: it is not divided", "leave --split out, or use train or val")
    divide_anew = f", or add val_fraction={VAL_FRACTION} to divide it anew" if split.lower() in (*TRAIN, *VAL) else ""
    raise InputError(f"{path} has no split {split!r}", f"name one that it has ({', '.join(available)}){divide_anew}")


def _why_empty(dataset: Dataset) -> str:
    if not dataset.problems:
        return ""
    return f" (problems: {len(dataset.problems)}, the first {problem_line(dataset.problems[0])})"
