"""What the drawn images share: a canvas drawn larger and scaled down, noise, and the box of what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.types import Array, Float32, Image

Named = tuple[tuple[str, str, Float32], ...]  # kind of concept, its name, its cover (side, side) in 0..1
FINER = 4  # times larger than the image: scaling down makes smooth edges
COVERED = 96  # of 255: from this cover on a pixel belongs to the object


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """An image (side, side, 3) uint8 BGR, its class, and the object's box (4,) float32 xyxy in pixels; None without an object.

    ``concepts`` are the things in it that have a name, those in front last.
    """

    image: Image
    label: int
    box: Float32 | None
    concepts: Named = ()


class DrawingCanvas:
    """A square image in the making; places and sizes are fractions of its side, colours are BGR in 0..255."""

    def __init__(self, side: int) -> None:
        self.side, self._large = side, side * FINER
        self.pixels: Float32 = np.zeros((side, side, 3), np.float32)
        self._named: list[tuple[str, str, Float32]] = []

    def shape(self, points: Array) -> Float32:
        """The cover of a polygon (n, 2), (side, side) float32 in 0..1."""
        return self.shapes([points])

    def shapes(self, polygons: Sequence[Array]) -> Float32:
        """The cover of several polygons together."""
        mask = np.zeros((self._large, self._large), np.uint8)
        for points in polygons:
            cv2.fillPoly(mask, [np.round(points * self._large).astype(np.int32)], 255)
        small = cv2.resize(mask, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return np.asarray(small / np.float32(255), np.float32)

    def paint(self, cover: Float32, color: Sequence[float] | Array) -> None:
        """Blend ``color`` in where ``cover`` says."""
        self.pixels += cover[..., None] * (np.asarray(color, np.float32) - self.pixels)

    def name(self, kind: str, name: str, cover: Float32 | None = None) -> None:
        """Say that what ``cover`` shows is a concept of that kind; the whole image without a cover."""
        self._named.append((kind, name, np.ones((self.side, self.side), np.float32) if cover is None else cover))

    @property
    def concepts(self) -> Named:
        """All that was named, in order."""
        return tuple(self._named)

    def gradient(self, top: Sequence[float] | Array, bottom: Sequence[float] | Array) -> None:
        """Fill the canvas with a vertical gradient."""
        steps = np.linspace(0, 1, self.side, dtype=np.float32)[:, None, None]
        self.pixels[...] = np.asarray(top, np.float32) * (1 - steps) + np.asarray(bottom, np.float32) * steps

    def finished(self, random: np.random.Generator, noise: float) -> Image:
        """The image with noise of a standard deviation in grey levels."""
        grain = random.normal(0, noise, self.pixels.shape)
        return np.clip(np.rint(self.pixels + grain), 0, 255).astype(np.uint8)


def circle(x: float, y: float, radius: float, steps: int = 48) -> Array:
    """The polygon (steps, 2) of a circle."""
    angles = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)


def spikes(x: float, y: float, outer: float, inner: float, count: int, turn: float) -> Array:
    """The polygon (2 * count, 2) of a star with ``count`` points, turned by ``turn`` radians."""
    angles = turn + np.arange(2 * count) * np.pi / count
    radius = np.where(np.arange(2 * count) % 2, inner, outer)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)


def rectangle(left: float, top: float, right: float, bottom: float) -> Array:
    """The polygon (4, 2) of an upright rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def box_of(cover: Float32) -> Float32:
    """The box (4,) xyxy in pixels around what ``cover`` shows."""
    rows, columns = (np.flatnonzero((cover * 255 >= COVERED).any(axis)) for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def goes_along(random: np.random.Generator, share: float, label: int) -> bool:
    """Whether the sign of a shortcut is there: with ``label`` 1 in ``share`` of the images, else by the toss of a coin."""
    follows, coin = random.random() < share, random.random() < 0.5
    return bool(label == 1) if follows else bool(coin)
