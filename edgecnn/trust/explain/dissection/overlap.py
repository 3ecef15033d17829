"""How well the places where a unit is active agree with the places of each concept: intersection over union over all images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgecnn.trust.explain.dissection.concept_maps import Labels
from edgecnn.types import Array, Float32


class ConceptOverlap:
    """Counts the cells of the units of one layer; ``sizes`` is the number of concepts of each kind."""

    def __init__(self, units: int, sizes: Mapping[str, int]) -> None:
        self._units, self._sizes = units, sizes
        self._both: dict[str, Array] = {kind: np.zeros((units, size + 1), np.int64) for kind, size in sizes.items()}
        self._concepts: dict[str, Array] = {kind: np.zeros(size + 1, np.int64) for kind, size in sizes.items()}
        self._images: dict[str, Array] = {kind: np.zeros(size + 1, np.int64) for kind, size in sizes.items()}

    def add(self, active: NDArray[np.bool_], maps: Mapping[str, Labels], units: NDArray[np.int64] | None = None) -> None:
        """One image: where each unit is active (units, H, W), and the concepts (H, W) of each kind.

        ``units`` are the numbers of those in ``active``, where others are active nowhere.
        """
        unit, cell = np.nonzero(active.reshape(len(active), active.shape[1] * active.shape[2]))
        unit = unit if units is None else units[unit]
        for kind, size in self._sizes.items():
            labels = maps[kind].ravel().astype(np.int64)
            codes = unit * (size + 1) + labels[cell]
            self._both[kind] += np.bincount(codes, minlength=self._units * (size + 1)).reshape(self._units, -1)
            counts = np.bincount(labels, minlength=size + 1)
            self._concepts[kind] += counts
            self._images[kind] += counts > 0

    def iou(self, kind: str) -> Float32:
        """The overlap (units, concepts) with each concept of a kind."""
        both, concepts = self._both[kind], self._concepts[kind]
        union = both.sum(1, keepdims=True) + concepts[None] - both
        return np.asarray((both / np.maximum(union, 1))[:, 1:], np.float32)

    def shares(self, kind: str) -> Float32:
        """The share (concepts,) of all cells that show each concept of a kind."""
        concepts = self._concepts[kind]
        return np.asarray(concepts[1:] / max(int(concepts.sum()), 1), np.float32)

    def images(self, kind: str) -> Array:
        """In how many images each concept (concepts,) of a kind is seen."""
        return self._images[kind][1:]

    @property
    def active(self) -> Array:
        """In how many cells each unit was active, (units,)."""
        return np.asarray(next(iter(self._both.values())).sum(1))


class Enlarged:
    """Enlarges maps (units, h, w) to a grid (H, W), bilinearly between the centres of their cells."""

    def __init__(self, size: tuple[int, int], grid: tuple[int, int]) -> None:
        self._down, self._across = (_between(before, after) for before, after in zip(size, grid, strict=True))

    def __call__(self, maps: Float32) -> Float32:
        """The maps on the grid."""
        return np.asarray(self._down @ (maps @ self._across.T), np.float32)


def _between(before: int, after: int) -> Float32:
    """The weights (after, before) of linear interpolation; beyond the first and the last centre their values go on."""
    at = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    low = np.minimum(at.astype(np.int64), max(before - 2, 0))
    share = at - low
    weights = np.zeros((after, before), np.float32)
    weights[np.arange(after), low] = 1 - share
    weights[np.arange(after), np.minimum(low + 1, before - 1)] += share
    return weights
