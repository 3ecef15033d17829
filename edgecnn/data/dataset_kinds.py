"""Which kind of dataset a path is, told from what is there, and the one way to open it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from edgecnn.data.address import Address, parse_address
from edgecnn.data.relabel import merge_classes, parse_renames, rename_classes, to_classes
from edgecnn.data.sample import Dataset
from edgecnn.data.splits import divide, listed, regroup
from edgecnn.errors import InputError
from edgecnn.labels import parse_labels

# What is looked for, by the module that reads it.
KINDS = {
    "edgecnn.data.idx": "IDX files (train-images-idx3-ubyte.gz, t10k-...)",
    "edgecnn.data.coco": "a COCO .json file, or a folder with one",
    "edgecnn.data.voc": "Annotations/*.xml with JPEGImages/ or images/",
    "edgecnn.data.yolo": "images/ with labels/*.txt",
    "edgecnn.data.values": "images with values.csv",
    "edgecnn.data.mot": "MOT Challenge: gt/gt.txt with img1/ or a video",
}
# Tried in order where nothing above fits: the folders of those kinds look like these too.
FALLBACKS = {"edgecnn.data.folders": "a folder of images for each class", "edgecnn.data.unlabelled": "a folder of images"}
TRAIN = ("train", "training")
HELD_OUT = ("test", "testing", "val", "valid", "validation")
ALIASES = ({"val", "valid", "validation"}, {"train", "training"}, {"test", "testing"})


class Loader(Protocol):
    """What each module of ``KINDS`` offers."""

    def fits(self, path: Path) -> bool:
        """Whether the path looks like this kind, from names alone."""
        ...

    def splits(self, path: Path) -> tuple[str, ...]:
        """Names of the parts it is divided in; () where it is not."""
        ...

    def load(self, path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
        """All samples of a split, or of everything."""
        ...


def open_dataset(
    uri: str | Path, *, split: str | None = None, labels: Sequence[str] | str | None = None, limit: int | None = None
) -> Dataset:
    """Open a dataset: "scene:...", a folder (IDX, classes, YOLO, VOC, COCO, values, plain images) or a COCO .json file.

    Which part of it, and what its classes are called, may follow after a "?": see ``edgecnn.data.address``.
    ``split`` None gives everything there is. ``labels``, a sequence, "a,b,c" or the path of a file with one
    name a line, are the names of classes 0, 1, ... where files have numbers (IDX, YOLO), and which classes count, in which order,
    where files have names (not for the scene, which has its own). ``limit`` keeps the first samples.
    What is wrong in the files is in ``problems`` of the result, by file and line.
    Raises ``InputError`` where the path is missing, is of no known kind or of several, has no such split or holds no image.
    """
    address = parse_address(uri)
    if address.split and split and split != address.split:
        raise InputError(f"one split of {address.place}", f"{address.split} and {split}", "name it once")
    if address.is_scene:
        dataset = _scene(address.place, split, limit)
    else:
        dataset = _stored(address.path, split or address.split, labels or address.labels)
        if address.list:
            dataset = listed(dataset, Path(address.list).expanduser())
        if address.group:
            dataset = regroup(dataset, address.group)
    return _part(_named(dataset, address), address).take(limit=limit)


def _stored(path: Path, split: str | None, labels: Sequence[str] | str | None) -> Dataset:
    names = (parse_labels(labels) if isinstance(labels, str) else tuple(labels)) if labels else None
    with _readable(path):
        loader = recognise(path)
        dataset = loader.load(path, _resolve(split, loader.splits(path), path) if split else None, names)
    if not len(dataset):
        raise InputError(f"images in {path}", _why_empty(dataset), "name another folder or split")
    return dataset


def _named(dataset: Dataset, address: Address) -> Dataset:
    if address.rename:
        dataset = rename_classes(dataset, parse_renames(address.rename))
    if address.merge:
        dataset = merge_classes(dataset, address.merge)
    return to_classes(dataset, address.classes) if address.classes else dataset


def _part(dataset: Dataset, address: Address) -> Dataset:
    if address.part is None:
        return dataset
    learn, held_out = divide(dataset, address.hold, address.seed)
    split = "-".join([*([dataset.split] if dataset.split else []), address.part])
    return dataclasses.replace(learn if address.part == "learn" else held_out, split=split)


def dataset_splits(uri: str | Path) -> tuple[str, ...]:
    """The parts a dataset is divided in, such as ("train", "test"); () where it is not, or where the address says which part.

    Raises as ``open_dataset`` does.
    """
    address = parse_address(uri)
    if address.is_scene or address.split or address.part:
        return ()
    with _readable(address.path):
        return recognise(address.path).splits(address.path)


def held_out_split(uri: str | Path) -> str | None:
    """The part to measure with: test, else val; None where the dataset has neither."""
    there = {name.lower(): name for name in dataset_splits(uri)}
    return next((there[name] for name in HELD_OUT if name in there), None)


def counterparts(uri: str | Path) -> list[Dataset]:
    """What the dataset holds out besides the part to train on, and is to be kept apart from it: the other part, val and test."""
    address = parse_address(uri)
    if address.is_scene or address.part == "held-out":
        return []
    if address.part == "learn":
        return [open_dataset(str(uri).replace("part=learn", "part=held-out"))]
    parts = dataset_splits(address.place)
    if (address.split or "train").lower() not in TRAIN or not any(name.lower() in TRAIN for name in parts):
        return []
    return [open_dataset(address.place, split=name, labels=address.labels) for name in parts if name.lower() in HELD_OUT]


def recognise(path: Path) -> Loader:
    """The loader that a path is for."""
    if not path.exists():
        raise InputError(f"a dataset at {path}", "no such file or folder", "check the path")
    if path.is_file() and path.suffix.lower() != ".json":
        raise InputError("a folder or a COCO .json file", f"the file {path}", "name the folder of the dataset")
    fitting = [(module, what) for module, what in KINDS.items() if _loader(module).fits(path)]
    if len(fitting) > 1:
        found = " and ".join(what for _, what in fitting)
        raise InputError(f"one kind of dataset in {path}", found, "name the sub-folder or file that is meant")
    if fitting:
        return _loader(fitting[0][0])
    for module in FALLBACKS:
        if _loader(module).fits(path):
            return _loader(module)
    wanted = "; ".join([*KINDS.values(), *FALLBACKS.values()])
    raise InputError(f"a dataset in {path} ({wanted})", "none of these", "check the path, or name the folder inside")


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"a readable dataset at {path}", f"{error.strerror}: {error.filename}", "check the permissions"
        ) from error


def _loader(module: str) -> Loader:
    return cast(Loader, import_module(module))


def _scene(uri: str, split: str | None, limit: int | None) -> Dataset:
    from edgecnn.data.scene_dataset import dataset
    from edgecnn.scene import parse_scene

    if split:
        raise InputError("no split of a scene", repr(split), "leave --split out; another seed= gives other frames")
    options = parse_scene(uri)
    return dataset(dataclasses.replace(options, count=limit) if options.count is None else options).take(limit=limit)


def _resolve(split: str, available: tuple[str, ...], path: Path) -> str:
    same = next((group for group in ALIASES if split.lower() in group), {split.lower()})
    found = [name for name in available if name == split] or [name for name in available if name.lower() in same]
    if found:
        return found[0]
    there = ", ".join(available) or "no splits"
    raise InputError(f"the split {split!r} of {path}", there, "name a split that is there" if available else "leave --split out")


def _why_empty(dataset: Dataset) -> str:
    if not dataset.problems:
        return "none"
    first = dataset.problems[0]
    return f"none that can be used (problems: {len(dataset.problems)}, the first {first.where}: {first.what})"
