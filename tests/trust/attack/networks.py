"""A network that is easy to attack: it compares the left half of an image with the right one."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.data import Dataset, Sample
from edgecnn.types import Classes, Image, Prediction

PREPROCESS = Preprocess(size=(8, 8), color="gray", mean=(0.0,), std=(255.0,), resize="stretch")
LABELS = ("left", "right")


def card(preprocess: Preprocess = PREPROCESS, task: Any = "classify", labels: tuple[str, ...] = LABELS) -> ModelCard:
    decoder = {"classify": "softmax", "detect": "fcos"}.get(task, "values")
    return ModelCard(name="halves", task=task, labels=labels, preprocess=preprocess, decode=Decode(decoder), precision="fp32")


def halves(image: Image) -> Prediction:
    """Class 1 where the right half is brighter."""
    logit = (image[:, 4:].mean() - image[:, :4].mean()) / 4
    score = 1 / (1 + np.exp(-logit))
    return Classes(np.float32([1 - score, score]))


def dataset(count: int = 24, contrast: int = 6) -> Dataset:
    """Images of 8 x 8 whose halves differ by ``contrast`` to twice of it."""
    samples = []
    for index in range(count):
        image = np.full((8, 8, 3), 100, np.uint8)
        brighter = slice(4, 8) if index % 2 else slice(0, 4)
        image[:, brighter] += np.uint8(contrast + index % contrast)
        samples.append(Sample(f"{index}.png", lambda image=image: image, label=index % 2))  # type: ignore[misc]
    return Dataset("halves", "classify", LABELS, samples)
