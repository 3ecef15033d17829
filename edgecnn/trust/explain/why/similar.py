"""The image of a dataset that looks most alike to a network and gets another class: a counterfactual example.

In simple form after Goyal et al. 2019, "Counterfactual Visual Explanations", arXiv:1904.07451, who exchange parts of the features; here
parts of the pixels are exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgecnn.card import Preprocess
from edgecnn.data.sample import Dataset
from edgecnn.errors import InputError
from edgecnn.trust.explain.inner import InnerReader
from edgecnn.trust.explain.why.answer import Asked, Said
from edgecnn.trust.shortcuts.subject import subject
from edgecnn.types import Float32, Image


@dataclass(frozen=True, slots=True, eq=False)
class SimilarImage:
    """An image (h, w, 3) of the size of the network's input that gets another class; ``similarity`` is the cosine of the features."""

    name: str
    image: Image
    content: tuple[int, int, int, int]
    said: Said
    similarity: float
    looked_at: int


def most_similar(
    reader: InnerReader,
    asked: Asked,
    image: Image,
    said: Said,
    dataset: Dataset,
    preprocess: Preprocess,
    *,
    limit: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> SimilarImage | None:
    """The most similar of ``limit`` images of ``dataset``, spread evenly, whose class is not that of ``said``; None without one.

    Features are the means over the maps of the last layer.
    """
    picked = np.unique(np.linspace(0, len(dataset) - 1, min(limit, len(dataset))).round().astype(int)).tolist()
    own = _features(reader, image)
    best: SimilarImage | None = None
    looked_at = 0
    for done, index in enumerate(picked, 1):
        if progress is not None:
            progress("similar images", done, len(picked))
        sample = dataset.samples[index]
        try:
            shown = subject(sample, sample.read(), preprocess)
        except InputError:
            continue
        looked_at += 1
        similarity = float(own @ _features(reader, shown.image))
        if best is not None and similarity <= best.similarity:
            continue
        other = asked.first(shown.image)
        if other is not None and other.class_id != said.class_id:
            best = SimilarImage(sample.name, shown.image, shown.content, other, similarity, 0)
    if best is None:
        return None
    return SimilarImage(best.name, best.image, best.content, best.said, best.similarity, looked_at)


def _features(reader: InnerReader, image: Image) -> Float32:
    """The direction of the mean over each map of the last layer."""
    name = reader.layers[-1].name
    means = reader.activations(image, [name])[name].mean((1, 2))
    length = float(np.linalg.norm(means))
    return np.asarray(means / length if length > 0 else means, np.float32)
