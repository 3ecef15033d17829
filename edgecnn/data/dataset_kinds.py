"""Detects the format of a dataset, and opens it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from edgecnn.data.address import VAL_FRACTION, Address, parse_address, with_split
from edgecnn.data.join import join
from edgecnn.data.relabel import merge_classes, rename_classes, to_classes
from edgecnn.data.sample import Dataset
from edgecnn.data.splits import assign_groups, filter_by_list, train_val_split
from edgecnn.errors import InputError
from edgecnn.labels import parse_labels, parse_renames

# Module that reads a kind of dataset: the files it looks for.
KINDS = {
    "edgecnn.data.idx": "IDX files (train-images-idx3-ubyte.gz, t10k-...)",
    "edgecnn.data.coco": "a COCO .json file, or a folder with one",
    "edgecnn.data.voc": "Annotations/*.xml with JPEGImages/ or images/",
    "edgecnn.data.yolo": "images/ with labels/*.txt",
    "edgecnn.data.values": "images with values.csv",
    "edgecnn.data.mot": "MOT Challenge: gt/gt.txt with img1/ or a video",
}
# Tried in order where no kind above fits, because folders of those kinds look like these, too.
FALLBACKS = {"edgecnn.data.folders": "a folder of images for each class", "edgecnn.data.unlabelled": "a folder of images"}
TRAIN = ("train", "training")
VAL = ("val", "valid", "validation")
TEST = ("test", "testing")
HELD_OUT = (*TEST, *VAL)
ALIASES = (TRAIN, VAL, TEST)


class Loader(Protocol):
    """The functions of each module of ``KINDS``."""

    def fits(self, path: Path) -> bool:
        """Whether the path has this format, detected by names of files and folders only."""
        ...

    def splits(self, path: Path) -> tuple[str, ...]:
        """Names of the dataset's own splits; () if it has none."""
        ...

    def load(self, path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
        """All samples of a split, or of the whole dataset if ``split`` is None."""
        ...


def open_dataset(
    uri: str | Path, *, split: str | None = None, labels: Sequence[str] | str | None = None, limit: int | None = None
) -> Dataset:
    """Open a dataset: "scene:...", a folder (IDX, classes, YOLO, VOC, COCO, values, plain images) or a COCO .json file.

    Parameters may follow after a "?": see ``edgecnn.data.address``. ``split`` is the same as ``?split=``; None opens all images.
    ``labels``, a sequence, "a,b,c" or the path of a file with one name per line, are the names of classes 0, 1, ... where
    files have numbers (IDX, YOLO), and which classes to use, in which order, where files have names (not for the scene, which has
    its own). ``limit`` keeps the first samples. Problems in the files are listed in ``problems`` of the result, by file and line.
    Raises ``InputError`` where the path is missing, is of no known kind or of several, has no such split or holds no image.
    """
    address = parse_address(uri)
    if address.split and split and split != address.split:
        raise InputError(f"two splits of {address.place} are named, {address.split} and {split}", "name one")
    split = split or address.split
    if address.is_scene:
        return _with_classes(_scene(address.place, split, limit), address).take(limit=limit)
    own_split, divided = _plan_split(address, split)
    dataset = _stored(address.path, own_split, labels or address.labels)
    if address.list:
        dataset = filter_by_list(dataset, Path(address.list).expanduser())
    if address.group:
        dataset = assign_groups(dataset, address.group)
    dataset = _with_classes(dataset, address)
    return (_divide(dataset, address, divided) if divided else dataset).take(limit=limit)


def _plan_split(address: Address, split: str | None) -> tuple[tuple[str, ...] | None, str]:
    """The dataset's own splits to load, None for the whole dataset, and the part of a division of them: "train", "val" or "".

    The rule is in the docstring of ``edgecnn.data.address``.
    """
    own = _own_splits(address)
    name = (split or "").lower()
    part = "train" if name in TRAIN else "val" if name in VAL else ""
    if address.val_fraction is not None:
        if not part:
            problem = f"val_fraction= divides {address.place} into train and val, but split= is {split or 'missing'}"
            raise InputError(problem, "add split=train or split=val, or leave val_fraction= out")
        # the test split stays separate: its images must not reach a training by a new random split
        kept = tuple(name for name in own if name.lower() not in TEST)
        return (None if kept == own else kept), part
    if split is None:
        return None, ""
    # no splits of its own: a random split by the default fraction
    if not own and part:
        return None, part
    return (_resolve(split, own, address.path),), ""


def _stored(path: Path, splits: tuple[str, ...] | None, labels: Sequence[str] | str | None) -> Dataset:
    names = (parse_labels(labels) if isinstance(labels, str) else tuple(labels)) if labels else None
    with _readable(path):
        loader = detect_kind(path)
        loaded = [loader.load(path, split, names) for split in splits or (None,)]
    if any((one.task, one.labels) != (loaded[0].task, loaded[0].labels) for one in loaded):
        raise InputError(f"the splits {', '.join(splits or ())} of {path} have different classes", "name them with labels=a,b,c")
    dataset = join(loaded)
    if not len(dataset):
        raise InputError(f"{path} has no usable image{_why_empty(dataset)}", "name another folder or split")
    return dataset


def _with_classes(dataset: Dataset, address: Address) -> Dataset:
    if address.rename:
        dataset = rename_classes(dataset, parse_renames(address.rename))
    if address.merge:
        dataset = merge_classes(dataset, address.merge)
    return to_classes(dataset, address.classes) if address.classes else dataset


def _divide(dataset: Dataset, address: Address, part: str) -> Dataset:
    train, val = train_val_split(dataset, address.val_fraction or VAL_FRACTION, address.seed)
    return dataclasses.replace(train if part == "train" else val, split=part)


def _own_splits(address: Address) -> tuple[str, ...]:
    with _readable(address.path):
        return detect_kind(address.path).splits(address.path)


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
        return others + [open_dataset(address.place, split=name, labels=address.labels) for name in own]
    if (address.split or "train").lower() not in TRAIN or not any(name.lower() in TRAIN for name in own):
        return []
    return [open_dataset(address.place, split=name, labels=address.labels) for name in own if name.lower() in HELD_OUT]


def detect_kind(path: Path) -> Loader:
    """The loader for the dataset at ``path``; raises ``InputError`` where none or several fit."""
    if not path.exists():
        raise InputError(f"the dataset {path} does not exist", "check the path")
    if path.is_file() and path.suffix.lower() != ".json":
        raise InputError(f"{path} is a file, but neither a folder nor a COCO .json file", "name the folder of the dataset")
    fitting = [(module, what) for module, what in KINDS.items() if _loader(module).fits(path)]
    if len(fitting) > 1:
        kinds = " and ".join(what for _, what in fitting)
        raise InputError(f"{path} fits several kinds of datasets: {kinds}", "name the sub-folder or file that is meant")
    if fitting:
        return _loader(fitting[0][0])
    # imported by name only when tried: opening a dataset loads one or two of the readers
    for module in FALLBACKS:
        if _loader(module).fits(path):
            return _loader(module)
    known = "; ".join([*KINDS.values(), *FALLBACKS.values()])
    raise InputError(f"{path} is not a known kind of dataset ({known})", "check the path, or name the folder inside")


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"can't read the dataset {path}: {error.strerror}: {error.filename}", "check the permissions") from error


def _loader(module: str) -> Loader:
    return cast(Loader, import_module(module))


def _scene(uri: str, split: str | None, limit: int | None) -> Dataset:
    from edgecnn.data.scene_dataset import dataset
    from edgecnn.scene import parse_scene

    if split:
        raise InputError(f"a scene has no splits, so no {split!r}", "leave --split out; another seed= gives other frames")
    options = parse_scene(uri)
    return dataset(dataclasses.replace(options, count=limit) if options.count is None else options).take(limit=limit)


def _resolve(split: str, available: tuple[str, ...], path: Path) -> str:
    same = next((group for group in ALIASES if split.lower() in group), (split.lower(),))
    found = [name for name in available if name == split] or [name for name in available if name.lower() in same]
    if found:
        return found[0]
    if not available:
        raise InputError(f"{path} has no split {split!r}: it is not divided", "leave --split out, or use train or val")
    divide_anew = f", or add val_fraction={VAL_FRACTION} to divide it anew" if split.lower() in (*TRAIN, *VAL) else ""
    raise InputError(f"{path} has no split {split!r}", f"name one that it has ({', '.join(available)}){divide_anew}")


def _why_empty(dataset: Dataset) -> str:
    if not dataset.problems:
        return ""
    first = dataset.problems[0]
    return f" (problems: {len(dataset.problems)}, the first {first.where}: {first.what})"
