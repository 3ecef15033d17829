"""Real inputs that a measurement rotates over, read once and shared by the processes that measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.card import Task
from edgecnn.data import Dataset, open_dataset
from edgecnn.types import Image

SCENE = "scene:cups?seed=7001&every=15"
BUDGET = 256 << 20  # bytes of all inputs together: small enough for a board with 1 GiB


@dataclass(frozen=True, slots=True)
class Inputs:
    """Images (H, W, 3) uint8 BGR of a measurement, and in words what they are."""

    images: tuple[Image, ...]
    what: str


def default_inputs(task: Task, count: int) -> Inputs:
    """The built-in scene for detectors; noise for classifiers, whose time does not depend on what they see."""
    if task == "detect":
        return dataset_inputs(open_dataset(SCENE, limit=count), SCENE, count)
    random = np.random.default_rng(0)
    images = tuple(random.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(count))
    return Inputs(images, f"{count} random images of 320x240")


def dataset_inputs(dataset: Dataset, shown: str, count: int) -> Inputs:
    """The first ``count`` images of a dataset, fewer where it is smaller or they would not fit in memory.

    Raises ``InputError`` for an image that can't be read.
    """
    images: list[Image] = []
    for sample in dataset.samples[:count]:
        images.append(sample.read())
        if sum(image.nbytes for image in images) > BUDGET:
            break
    return Inputs(tuple(images), f"{len(images)} images of {shown}")


def store(inputs: Inputs, folder: Path) -> None:
    """Write the images into ``folder`` for ``load_stored``."""
    for index, image in enumerate(inputs.images):
        np.save(folder / f"{index:05d}.npy", image)


def load_stored(folder: Path) -> list[Image]:
    """The images of ``store`` in their order, mapped: all processes share one copy in memory."""
    return [np.asarray(np.load(path, mmap_mode="r")) for path in sorted(folder.glob("*.npy"))]
