"""The effective receptive field: how much each pixel really counts for a value in the middle of a map (Luo et al. 2016, arXiv:1701.04128).

With gradients: the mean of |d value / d pixel| over the channels, in random signs, and over images. For files without gradients: how much
the values change while a cell of the image is replaced by noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.trust.explain.inner import FileReader
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.inside.graph import FloatArray
from edgecnn.types import Image

SHARE = 0.9  # of the effect that the square of ``EffectiveField.side`` holds
CELLS = 9  # along a side: cells of one pixel up to a field of this size
MARGIN = 1  # cells around the theoretical field, which must do nothing
DRAWS = 4  # random signs of the channels for gradients

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveField:
    """The effect (height, width) of each pixel of the network's input on the middle ``place`` (row, column) of a layer, with sum 1.

    ``box`` is the theoretical field there (left, top, right, bottom), of which parts may be outside of the image. ``side``: of the
    smallest square around its middle that holds 90 % of the effect, in pixels. ``beyond``: the share of the effect outside of ``box``,
    which is 0 unless a gate sees the whole image. ``method`` is "gradient" or "occlusion".
    """

    heat: FloatArray
    place: tuple[int, int]
    box: Box
    side: int
    beyond: float
    method: str


def effective_fields(
    reader: FileReader,
    images: Sequence[Image],
    steps: Sequence[LayerStep],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, EffectiveField]:
    """The effective field of layers by name, over ``images`` of the size of the network's input. Left out: layers that nothing changed."""
    found: dict[str, EffectiveField] = {}
    for done, step in enumerate(steps):
        if progress is not None:
            progress(done, len(steps))
        place = step.layer.height // 2, step.layer.width // 2
        heat = reader.gradients(images, step, place, DRAWS, seed)
        method = "occlusion" if heat is None else "gradient"
        if heat is None:
            heat = sum((_occluded(reader, image, step, place, seed) for image in images), np.zeros((), np.float32))
        total = float(heat.sum())
        if math.isfinite(total) and total > 0:
            found[step.layer.name] = _field(np.asarray(heat / total, np.float32), place, step.field.box(*place), method)
    return found


def _field(heat: FloatArray, place: tuple[int, int], box: Box, method: str) -> EffectiveField:
    left, top, right, bottom = box
    y, x = np.ogrid[: heat.shape[0], : heat.shape[1]]
    middle_y, middle_x = (top + bottom - 1) / 2, (left + right - 1) / 2
    away = np.maximum(np.abs(y - middle_y), np.abs(x - middle_x)).reshape(-1)
    order = np.argsort(away, kind="stable")
    reached = int(np.searchsorted(np.cumsum(heat.reshape(-1)[order]), SHARE * heat.sum()))
    side = round(2 * float(away[order[min(reached, len(order) - 1)]])) + 1
    inside = heat[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)].sum()
    return EffectiveField(heat, place, box, side, max(1.0 - float(inside), 0.0), method)


def _occluded(reader: FileReader, image: Image, step: LayerStep, place: tuple[int, int], seed: int) -> FloatArray:
    """The change of the middle of the maps while each cell is noise, spread over the pixels of the cell."""
    random = np.random.default_rng((seed, 1))
    noise = random.integers(0, 256, image.shape).astype(np.uint8)
    name, (row, column) = step.layer.name, place
    before = reader.activations(image, [name])[name][:, row, column]
    heat = np.zeros(image.shape[:2], np.float32)
    for cell in cells_over(step.field.box(*place), (image.shape[0], image.shape[1])):
        changed = image.copy()
        changed[cell] = noise[cell]
        after = reader.activations(changed, [name])[name][:, row, column]
        heat[cell] = float(np.abs(after - before).mean()) / heat[cell].size
    return heat


def cells_over(box: Box, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Cells over a field and a margin around it that lie in an image of ``size`` (height, width); of one pixel for small fields."""
    left, top, right, bottom = box
    rows, columns = _spans(top, bottom, size[0]), _spans(left, right, size[1])
    for y in rows:
        for x in columns:
            yield y, x


def _spans(start: int, end: int, length: int) -> list[slice]:
    cell = max(-(-(min(end, length) - max(start, 0)) // CELLS), 1)
    first = start - MARGIN * cell
    # begins inside of the image at a whole cell
    first += max(-first // cell, 0) * cell
    found = []
    while first < min(end + MARGIN * cell, length):
        part = slice(max(first, 0), min(first + cell, length))
        if part.stop > part.start:
            found.append(part)
        first += cell
    return found
