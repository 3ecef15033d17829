"""A plain folder of images without labels: enough to calibrate with, not to measure accuracy."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgecnn.data.pictures import image_size, list_images, read_image
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.errors import InputError


def fits(path: Path) -> bool:
    """Whether images lie directly in the folder."""
    return path.is_dir() and bool(list_images(path))


def splits(path: Path) -> tuple[str, ...]:
    """None."""
    return ()


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples without truth, by file name."""
    problems: list[Problem] = []
    samples = []
    for image in list_images(path):
        try:
            image_size(image)
        except InputError as error:
            problems.append(Problem(image.name, error.found))
            continue
        samples.append(Sample(image.name, partial(read_image, image)))
    return Dataset(path.resolve().name, "classify", labels or (), samples, tuple(problems))
