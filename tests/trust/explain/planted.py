"""A reader whose units are known, and images whose concepts are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import Preprocess
from edgecnn.data import Dataset, Sample
from edgecnn.scene.pixel_concepts import OBJECT, PART, PixelConcepts
from edgecnn.trust.explain.inner_layer import InnerLayer
from edgecnn.types import Float32, Image

SIDE = 48
PREPROCESS = Preprocess(size=(SIDE, SIDE), color="bgr", resize="stretch")
NAMES = {PART: ("rim", "handle"), OBJECT: ("mug",)}
UNITS = ("red", "handle", "noise", "constant")


def planted_dataset(count: int = 12) -> Dataset:
    """Grey images with a red, a green and a blue patch each, and a handle of 3 x 4 pixels that has no colour of its own."""
    return Dataset("planted", "classify", ("a",), [_sample(index) for index in range(count)])


def _sample(index: int) -> Sample:
    random = np.random.default_rng(index)
    image = random.integers(100, 140, (SIDE, SIDE, 1)).repeat(3, 2).astype(np.uint8)
    cells = random.permutation(36)[:5]
    for cell, channel in zip(cells[:3].tolist(), range(3), strict=True):
        y, x = 8 * (cell // 6), 8 * (cell % 6)
        image[y : y + 4, x : x + 6] = 20
        image[y : y + 4, x : x + 6, channel] = 220
    maps = {kind: np.zeros((SIDE, SIDE), np.uint8) for kind in NAMES}
    y, x = 8 * (cells[3] // 6), 8 * (cells[3] % 6)
    maps[PART][y : y + 3, x : x + 4] = NAMES[PART].index("handle") + 1
    maps[OBJECT][y : y + 8, x : x + 8] = 1
    concepts = PixelConcepts(NAMES, maps)
    image[0, 0] = index  # so that the reader knows it
    return Sample(f"{index}.png", lambda: image, label=0, concepts=lambda: concepts)


class PlantedReader:
    """One layer with the units of UNITS, as large as the image."""

    def __init__(self, dataset: Dataset) -> None:
        self.layers = (InnerLayer("planted", "conv", len(UNITS), SIDE, SIDE, 1, 1, 0),)
        self._dataset = dataset

    def activations(self, image: Image, names: Sequence[str]) -> dict[str, Float32]:
        index = int(image[0, 0, 0])
        random = np.random.default_rng(1000 + index)
        blue, green, red = image.astype(np.float32).transpose(2, 0, 1)
        concepts = self._dataset.samples[index].concepts
        assert concepts is not None
        handle = (concepts().maps[PART] == 2) * (1 + 0.1 * random.random((SIDE, SIDE)))
        noise = random.random((SIDE, SIDE))
        maps = [red - np.maximum(blue, green) + random.random((SIDE, SIDE)), handle, noise, np.ones((SIDE, SIDE))]
        return {name: np.stack(maps).astype(np.float32) for name in names}

    def filters(self) -> None:
        return None

    def close(self) -> None:
        pass

    def __enter__(self) -> PlantedReader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass
