"""Loads classification datasets with one folder per class: ROOT/CLASS/*.jpg, or ROOT/SPLIT/CLASS/*.jpg."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edgecnn.data.image_files import SUFFIXES, ImageError, image_size, list_images, read_image
from edgecnn.data.sample import Dataset, Problem, Sample

SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")
# Folders of detection datasets: such a dataset without its annotations must not become one of two classes.
NOT_CLASSES = {"images", "labels", "annotations", "jpegimages"}


def fits(path: Path) -> bool:
    """Whether the folder has sub-folders with images, other than those of a detection dataset."""
    if not path.is_dir():
        return False
    roots = [path / split for split in splits(path)] or [path]
    return all(not NOT_CLASSES & {folder.name.lower() for folder in _folders(root)} for root in roots) and any(
        _has_image(folder) for root in roots for folder in _folders(root)
    )


def splits(path: Path) -> tuple[str, ...]:
    """Sub-folders that have the name of a split and contain folders."""
    return tuple(folder.name for folder in _folders(path) if folder.name.lower() in SPLITS and any(_folders(folder)))


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples by class and file name; classes are the names of the folders in order, or ``labels``."""
    roots = [path / name for name in splits(path)] or [path]
    # from all splits: a class that one split lacks must not shift the ids of the others
    labels = labels or tuple(sorted({folder.name for root in roots for folder in _folders(root)}))
    problems: list[Problem] = []
    chosen = [path / split] if split else roots
    samples = [sample for root in chosen for sample in _samples(root, path, labels, problems)]
    return Dataset(path.resolve().name, "classify", labels, samples, tuple(problems), split or "")


def _samples(root: Path, top: Path, labels: tuple[str, ...], problems: list[Problem]) -> Iterator[Sample]:
    for folder in _folders(root):
        if folder.name not in labels:
            problems.append(Problem(str(folder.relative_to(top)), f"a folder that is none of the classes {', '.join(labels)}"))
            continue
        images = list_images(folder)
        if not images:
            problems.append(Problem(str(folder.relative_to(top)), "a class without images"))
        for image in images:
            name = str(image.relative_to(top))
            try:
                image_size(image)
            except ImageError as error:
                problems.append(Problem(name, error.reason))
                continue
            yield Sample(name, partial(read_image, image), label=labels.index(folder.name))


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _has_image(folder: Path) -> bool:
    return any(entry.suffix.lower() in SUFFIXES for entry in folder.iterdir())
