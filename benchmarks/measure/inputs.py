"""Images that a measurement rotates over, read once and shared by the measuring processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, open_dataset
from edgecnn.data.scene_dataset import RENDERED
from edgecnn.signals.window_image import to_image
from edgecnn.tasks import find
from edgecnn.tensor_pack import sample as random_tensors
from edgecnn.types import Image

SCENE = "scene:cups?seed=7001&every=15"
MAX_INPUT_BYTES = 256 << 20  # all inputs together: fits a board with 1 GiB


@dataclass(frozen=True, slots=True)
class BenchmarkInputs:
    """Images (H, W, 3) uint8 BGR, and a description of them for reports."""

    images: tuple[Image, ...]
    description: str


def default_inputs(card: ModelCard, count: int) -> BenchmarkInputs:
    """The built-in scene where the time of decoding depends on what an image shows; noise for all others, also for signals."""
    if card.preprocess.tensors:
        tensors = tuple(random_tensors("noise", card.preprocess.tensors, seed) for seed in range(count))
        return BenchmarkInputs(tensors, f"{count} samples of random tensors")
    if find(card.task).truth in RENDERED:
        return dataset_inputs(open_dataset(SCENE, limit=count), SCENE, count)
    random = np.random.default_rng(0)
    if card.preprocess.signal is not None:  # a window is as long as the model takes it, and is not resized
        noise = (random.normal(size=card.preprocess.size[::-1]).astype(np.float32) for _ in range(count))
        return BenchmarkInputs(tuple(map(to_image, noise)), f"{count} random windows of {card.preprocess.size[1]} values")
    images = tuple(random.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(count))
    return BenchmarkInputs(images, f"{count} random images of 320x240")


def dataset_inputs(dataset: Dataset, shown: str, count: int) -> BenchmarkInputs:
    """The first ``count`` images of a dataset, fewer where it is smaller or they would not fit in memory.

    Raises ``InputError`` for an image that can't be read.
    """
    images: list[Image] = []
    for sample in dataset.samples[:count]:
        # the size in memory is known only after decoding
        images.append(sample.read())
        if sum(image.nbytes for image in images) > MAX_INPUT_BYTES:
            break
    return BenchmarkInputs(tuple(images), f"{len(images)} images of {shown}")


def store(inputs: BenchmarkInputs, folder: Path) -> None:
    """Write the images into ``folder`` for ``load_stored``."""
    for index, image in enumerate(inputs.images):
        np.save(folder / f"{index:05d}.npy", image)


def load_stored(folder: Path) -> list[Image]:
    """The images of ``store`` in their order, mapped: all processes share one copy in memory."""
    return [np.asarray(np.load(path, mmap_mode="r")) for path in sorted(folder.glob("*.npy"))]
