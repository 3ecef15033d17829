"""Classic filters of image processing, and which of them a learnt filter is nearest to."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgecnn.trust.inside.graph import FloatArray

LEAST = 1e-5  # length of a kernel that is more than rounding
NEAR = 0.8  # correlation from which a filter is called like a classic one
EDGE, LINE, LAPLACIAN, SHARPEN, BLUR, POINT = "edge", "line", "Laplacian", "sharpen", "blur", "single pixel"
COLOURS = ("red", "green", "blue")
_GREY = 0.9  # cosine of the colours of a filter with grey from which it is said to see brightness
_OWN_COLOUR = 0.35  # of the length of the colours: what counts as one of them
# Sobel and Feldman 1968; the others are those of textbooks (Gonzalez and Woods, Digital Image Processing, chapter 3).
_OF_THREE: Final[Mapping[str, tuple[tuple[tuple[float, ...], ...], ...]]] = {
    LINE: (
        ((-1, -1, -1), (2, 2, 2), (-1, -1, -1)),
        ((-1, 2, -1), (-1, 2, -1), (-1, 2, -1)),
        ((-1, -1, 2), (-1, 2, -1), (2, -1, -1)),
        ((2, -1, -1), (-1, 2, -1), (-1, -1, 2)),
    ),
    LAPLACIAN: (((0, -1, 0), (-1, 4, -1), (0, -1, 0)), ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))),
    SHARPEN: (((0, -1, 0), (-1, 5, -1), (0, -1, 0)),),
    BLUR: (((1, 2, 1), (2, 4, 2), (1, 2, 1)), ((1, 1, 1), (1, 1, 1), (1, 1, 1))),
    POINT: (((0, 0, 0), (0, 1, 0), (0, 0, 0)),),
}


@dataclass(frozen=True, slots=True, eq=False)
class ClassicFilter:
    """A kernel (height, width) of norm 1 with its name."""

    name: str
    kernel: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FilterMatch:
    """The classic filter that a learnt one is nearest to.

    ``correlation`` (0..1) is that of the whole filter with the ``kernel`` in the best colour and sign: 1 for the same filter.
    ``colour`` says in which colour the filter sees it: "brightness", "red against green", ...; "" for grey images. ``angle`` is that
    of an edge in degrees, in which brightness grows: 0 to the right, 90 downwards.
    """

    name: str
    kernel: FloatArray
    correlation: float
    colour: str
    angle: float | None = None

    @property
    def near(self) -> bool:
        """Whether it is so near that one may call the filter by that name."""
        return self.correlation >= NEAR

    @property
    def title(self) -> str:
        """The name with the direction of an edge."""
        if self.angle is None:
            return self.name
        words = ("vertical", "diagonal", "horizontal", "diagonal")[round(self.angle % 180 / 45) % 4]
        return f"{words} edge"


@functools.cache
def classic_filters(height: int, width: int) -> tuple[ClassicFilter, ...]:
    """Edges (Sobel), lines, Laplacian, sharpen, blur and a single pixel in the size of a filter; none for a filter of one pixel.

    The first two are the edges to the right and downwards; an edge of any direction is a sum of these.
    """
    if height * width == 1:
        return ()
    if (height, width) == (3, 3):
        edge = np.array(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), np.float32)
        found = [(EDGE, edge), (EDGE, edge.T)]
        found += [(name, np.array(one, np.float32)) for name, kernels in _OF_THREE.items() for one in kernels]
    else:
        found = _sampled(height, width)
    # with four pixels a Laplacian is nothing
    lengths = [float(np.linalg.norm(one)) for _, one in found]
    return tuple(
        ClassicFilter(name, np.asarray(one / length, np.float32))
        for (name, one), length in zip(found, lengths, strict=True)
        if length > LEAST
    )


def nearest(learnt: FloatArray) -> FilterMatch | None:
    """The classic filter nearest to ``learnt`` (colours, height, width); None for a filter of one pixel, or of zeros.

    For colours in the columns of F, one row each, and a kernel k of norm 1, the best correlation over all colours is |F k| / |F|; for an
    edge of any direction it is the largest singular value of F with both edges, divided by |F|.
    """
    classic = classic_filters(*learnt.shape[1:])
    length = float(np.linalg.norm(learnt))
    if not classic or not length > 0:
        return None
    rows = learnt.reshape(len(learnt), -1)
    right, down = (one.kernel.reshape(-1) for one in classic[:2])
    colours, values, ways = np.linalg.svd(rows @ np.stack([right, down], 1))
    way, colour = ways[0], colours[:, 0]
    if colour.sum() < 0:
        way, colour = -way, -colour
    kernel = (way[0] * classic[0].kernel + way[1] * classic[1].kernel).astype(np.float32)
    angle = math.degrees(math.atan2(way[1], way[0])) % 360
    best = FilterMatch(EDGE, kernel, float(values[0]) / length, _colour_words(colour), angle)
    for one in classic[2:]:
        colour = rows @ one.kernel.reshape(-1)
        correlation = float(np.linalg.norm(colour)) / length
        if correlation > best.correlation:
            # brightness has no colour that is more or less: the sign goes to the kernel
            sign = -1.0 if _sees_brightness(-colour) else 1.0
            best = FilterMatch(one.name, np.asarray(sign * one.kernel, np.float32), correlation, _colour_words(sign * colour))
    return best


def by_chance(colours: int, height: int, width: int, count: int = 1000) -> float:
    """The share of random filters of this size (normal, independent) that are as near to a classic one as ``NEAR``."""
    random = np.random.default_rng(0)
    matches = (nearest(random.normal(size=(colours, height, width)).astype(np.float32)) for _ in range(count))
    return sum(match is not None and match.near for match in matches) / count


def _sees_brightness(colour: FloatArray) -> bool:
    return float(colour.sum()) / math.sqrt(len(colour)) >= _GREY * (float(np.linalg.norm(colour)) or 1.0)


def _colour_words(colour: FloatArray) -> str:
    if len(colour) != len(COLOURS):
        return ""
    if _sees_brightness(colour):
        return "brightness"
    unit = colour / (np.linalg.norm(colour) or 1.0)
    plus, minus = ([name for name, value in zip(COLOURS, sign * unit, strict=True) if value >= _OWN_COLOUR] for sign in (1, -1))
    words = [" and ".join(side) for side in (plus, minus) if side]
    return " against ".join(words)


def _sampled(height: int, width: int) -> list[tuple[str, FloatArray]]:
    """Gaussian and its derivatives at the middles of the pixels, with a deviation of a fifth of the shorter side."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    sigma = max(min(height, width), 3) / 5
    blur = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    found = [(EDGE, x * blur), (EDGE, y * blur)]
    for angle in (90, 0, 45, 135):
        across = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
        line = (1 - across**2 / sigma**2) * blur
        found.append((LINE, line - line.mean()))
    laplacian = (2 - (x**2 + y**2) / sigma**2) * blur
    point = np.exp(-(x**2 + y**2) / (2 * (sigma / 2.5) ** 2))
    found.append((LAPLACIAN, laplacian - laplacian.mean()))
    found.append((SHARPEN, 2 * point / point.sum() - blur / blur.sum()))
    found += [(BLUR, blur), (BLUR, np.ones_like(blur)), (POINT, point)]
    return found
