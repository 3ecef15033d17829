"""Loads a folder of images without labels, for calibration and pseudo-labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.paths import sub_folders
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import split_folders
from edgecnn.types import Boxes


def evidence(path: Path) -> str:
    """Where the images are: directly in the folder, or in folders called like splits."""
    if not path.is_dir():
        return ""
    return "images in it" if list_images(path) else f"images in {' and '.join(found)}" if (found := splits(path)) else ""


def splits(path: Path) -> tuple[str, ...]:
    """Folders called like splits that hold images, if the folder itself holds none."""
    if list_images(path):
        return ()
    return tuple(name for name, folder in split_folders(path).items() if list_images(folder))


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples without ground truth, in the order of split and file name."""
    problems: list[Problem] = []
    samples = []
    chosen = [path / name for name in ([split] if split else splits(path))] or [path]
    for image in (image for folder in chosen for image in list_images(folder)):
        name = str(image.relative_to(path))
        try:
            # reads header and end only, but finds damaged files before they are used
            image_size(image)
        except ImageError as error:
            problems.append(Problem(name, error.reason))
            continue
        samples.append(Sample(name, partial(read_image, image)))
    below = sum(len(list_images(folder)) for place in chosen for folder in sub_folders(place))
    left_out = {**other_files(chosen), "images in sub-folders": below}
    return Dataset(path.resolve().name, "classify", labels or (), samples, tuple(problems), split or "", left_out=left_out)


def to_unlabelled_boxes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """Images without ground truth as a detection dataset in which none of ``classes`` is labelled, for pseudo-labels."""
    nothing = Boxes(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    every = frozenset(range(len(classes)))

    def change(sample: Sample) -> Sample:
        return dataclasses.replace(sample, label=None, boxes=nothing, unlabelled=every)

    return dataclasses.replace(dataset.map(change), task="detect", labels=tuple(classes), unlabelled=every)
