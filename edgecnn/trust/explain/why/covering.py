"""The smallest part of an image that changes the answer where it is covered, found greedily over a grid of cells."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgecnn.types import Float32, Image

CELLS = 8  # along each side of the area
MOST = 0.5  # of the cells: more than half of it is no part
TRIED = 16  # cells that are tried in each further step: those that lowered the support most
CHUNK = 32  # images in memory at once
Support = Callable[[Image], Float32]
Area = tuple[int, int, int, int]


def smallest_cover(support: Support, image: Image, area: Area, cover: Image) -> NDArray[np.bool_] | None:
    """The pixels (h, w) whose replacement by those of ``cover`` makes ``support`` negative; None where half of ``area`` does not.

    ``image`` and ``cover`` (h, w, 3) uint8; ``area`` (left, top, right, bottom) is divided into 8 x 8 cells. Cells are added one by one,
    each time the one after which the support is lowest; then those that are not needed are left out again, and at last quarters of
    them. So no cell of the result can be spared, but a smaller set of other cells may exist.
    """
    cells = _grid(area, CELLS)
    found = _grown(support, image, cover, cells)
    if found is None:
        return None
    kept = _without_spare(support, image, cover, found)
    quarters = [quarter for cell in kept for quarter in _grid(cell, 2)]
    return _mask(_without_spare(support, image, cover, quarters), image.shape)


def covered(image: Image, cover: Image, mask: NDArray[np.bool_]) -> Image:
    """The image with the pixels of ``mask`` taken from ``cover``."""
    return np.where(mask[..., None], cover, image).astype(np.uint8)


def _grown(support: Support, image: Image, cover: Image, cells: list[Area]) -> list[Area] | None:
    """Cells that change the answer together, the last one added being the one that did."""
    found: list[Area] = []
    left, lowest = cells, np.empty(0, np.float32)
    while len(found) < MOST * len(cells) and left:
        tried = left if not found else left[:TRIED]
        lowest = _supports(support, image, cover, [[*found, cell] for cell in tried])
        order = np.argsort(lowest, kind="stable").tolist()
        found.append(tried[order[0]])
        if lowest[order[0]] < 0:
            return found
        left = [*(tried[index] for index in order[1:]), *left[len(tried) :]]
    return None


def _without_spare(support: Support, image: Image, cover: Image, cells: list[Area]) -> list[Area]:
    """The cells without those that are not needed, the first ones added being the last ones that are tried."""
    kept = cells
    for cell in reversed(cells):
        fewer = [one for one in kept if one != cell]
        if fewer and _supports(support, image, cover, [fewer])[0] < 0:
            kept = fewer
    return kept


def _supports(support: Support, image: Image, cover: Image, sets: list[list[Area]]) -> Float32:
    parts = [
        support(np.stack([covered(image, cover, _mask(cells, image.shape)) for cells in sets[start : start + CHUNK]]))
        for start in range(0, len(sets), CHUNK)
    ]
    return np.concatenate(parts)


def _mask(cells: list[Area], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.bool_)
    for left, top, right, bottom in cells:
        mask[top:bottom, left:right] = True
    return mask


def _grid(area: Area, cells: int) -> list[Area]:
    """The area in cells of nearly equal size, without empty ones."""
    left, top, right, bottom = area
    x = np.unique(np.linspace(left, right, cells + 1).round().astype(int)).tolist()
    y = np.unique(np.linspace(top, bottom, cells + 1).round().astype(int)).tolist()
    return [(x0, y0, x1, y1) for y0, y1 in itertools.pairwise(y) for x0, x1 in itertools.pairwise(x)]
