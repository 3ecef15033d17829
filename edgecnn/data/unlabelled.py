"""Loads a folder of images without labels, for calibration and pseudo-labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.types import Boxes


def fits(path: Path) -> bool:
    """Whether the folder directly contains images."""
    return path.is_dir() and bool(list_images(path))


def splits(path: Path) -> tuple[str, ...]:
    """Always empty: a plain folder has no splits."""
    return ()


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples without ground truth, in the order of file names."""
    problems: list[Problem] = []
    samples = []
    for image in list_images(path):
        try:
            # reads header and end only, but finds damaged files before they are used
            image_size(image)
        except ImageError as error:
            problems.append(Problem(image.name, error.reason))
            continue
        samples.append(Sample(image.name, partial(read_image, image)))
    return Dataset(path.resolve().name, "classify", labels or (), samples, tuple(problems))


def to_unlabelled_boxes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """Images without ground truth as a detection dataset in which none of ``classes`` is labelled, for pseudo-labels."""
    nothing = Boxes(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    every = frozenset(range(len(classes)))

    def change(sample: Sample) -> Sample:
        return dataclasses.replace(sample, label=None, boxes=nothing, unlabelled=every)

    return dataclasses.replace(dataset.map(change), task="detect", labels=tuple(classes), unlabelled=every)
