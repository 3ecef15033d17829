"""What a transformation is: a change of an image with a strength, and where it moves the image's pixels."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Array, Boxes, Image

Group = Literal["geometry", "occlusion", "corruption", "colour", "scene"]
Change = Callable[[Image, "Boxes | None", float, np.random.Generator], Image]
Placement = Callable[[tuple[int, int], float, np.random.Generator], Array]
SEVERITY = "severity"
SEVERITIES = (1.0, 2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """One kind of change with its levels, weakest first where they have an order.

    ``unit`` is that of a level; ``neutral`` is the level that changes nothing, ``low`` and ``high`` bound what may be asked for.
    ``change`` gives the changed image (H, W, 3) uint8 of the same size, from the image, its boxes where it has some, the level and a
    random generator. A ``placement`` gives instead the matrix (2, 3) that moves pixels, from the left upper edge of an image of
    (height, width); boxes, masks and key points then move along. One of ``group`` "scene" has neither: the renderer changes the
    scene by its parameter of this name. ``words`` name levels that are no quantities. ``parameters`` says in one sentence what the
    levels mean. ``needs_colour``: it changes nothing for a model that sees grey images.
    """

    name: str
    title: str
    group: Group
    unit: str
    levels: tuple[float, ...]
    neutral: float
    low: float
    high: float
    parameters: str
    change: Change | None = None
    placement: Placement | None = None
    words: Mapping[float, str] = field(default_factory=dict)
    needs_colour: bool = False

    def check(self, level: float) -> float:
        """``level``; raises ``InputError`` where it is out of range."""
        known = not self.words or level in self.words
        if self.low <= level <= self.high and known:
            return level
        words = ", ".join(f"{value:g} ({word})" for value, word in self.words.items())
        raise InputError(
            f"{self.name} has no level {level:g}",
            f"use {words}" if words else f"use {self.low:g} to {self.high:g} ({self.unit})",
        )

    def level_text(self, level: float) -> str:
        """The level with its unit: "15°", "3 px", "blue"."""
        if level in self.words:
            return self.words[level]
        number = f"{level:g}"
        return {"degrees": f"{number}°", "pixels": f"{number} px", "factor": f"×{number}", "share": f"{100 * level:g} %"}.get(
            self.unit, number
        )

    def random(self, image: str, seed: int) -> np.random.Generator:
        """The random numbers for the image of that name: the same for all levels, so that only the strength differs."""
        return np.random.default_rng([seed, zlib.crc32(self.name.encode()), zlib.crc32(image.encode())])
