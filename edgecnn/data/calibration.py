"""The calibration set: inputs that set the ranges of an int8 model, chosen by seed, evenly over the classes, and written down."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.types import Image

MINIMUM = 16
# Boxes of a rendered dataset cost a rendering each: only so many times the wanted number of samples is looked at.
CANDIDATES = 4


def pick_calibration(dataset: Dataset, count: int, seed: int = 0, *, force: bool = False) -> list[Sample]:
    """Up to ``count`` samples, the same ones for the same seed, in the order of the dataset.

    Labelled samples are taken evenly over the classes (of an image with boxes, its rarest class counts), others at random.
    Raises ``InputError`` where fewer than 16 are asked for or there, unless ``force``.
    """
    found = min(count, len(dataset))
    if found < (1 if force else MINIMUM):
        raise InputError(
            f"at least {MINIMUM} images to calibrate with",
            f"{found} of {dataset.name}",
            "give more, ranges from so few images are wrong for others",
        )
    draw = random.Random(seed)
    if not isinstance(dataset.samples, list) and dataset.task == "detect" and len(dataset) > CANDIDATES * found:
        dataset = dataset.pick(sorted(draw.sample(range(len(dataset)), CANDIDATES * found)))
    groups: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(_groups(dataset)):
        groups[group].append(index)
    for members in groups.values():
        draw.shuffle(members)
    chosen = _in_turns([groups[key] for key in sorted(groups)], found)
    return [dataset.samples[index] for index in sorted(chosen)]


def fingerprint(image: Image) -> str:
    """sha256 of the size and the pixels of an image (H, W, 3)."""
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def manifest(samples: Sequence[Sample], dataset: Dataset | None = None, seed: int | None = None) -> dict[str, Any]:
    """What a model was calibrated with, as plain JSON: dataset, split, seed, count and one digest over all pixels in order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(fingerprint(sample.read()).encode())
    return {
        "dataset": dataset.name if dataset else "",
        "split": dataset.split if dataset else "",
        "seed": seed,
        "count": len(samples),
        "digest": digest.hexdigest(),
    }


def _groups(dataset: Dataset) -> list[int]:
    """The class of each sample; of boxes the one that is rarest in the dataset; -1 where there is none."""
    if dataset.task == "classify":
        return [-1 if sample.label is None else sample.label for sample in dataset.samples]
    classes = [set() if sample.boxes is None else set(sample.boxes.class_id.tolist()) for sample in dataset.samples]
    images_of = Counter(class_id for ids in classes for class_id in ids)
    return [min(ids, key=lambda class_id: (images_of[class_id], class_id)) if ids else -1 for ids in classes]


def _in_turns(groups: list[list[int]], count: int) -> list[int]:
    """One of each group in turn until there are ``count``."""
    turns = [index for turn in range(max(map(len, groups))) for group in groups if turn < len(group) for index in (group[turn],)]
    return turns[:count]
