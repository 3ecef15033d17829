"""The concepts of an image, pixel by pixel: textures, parts of objects, and objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgecnn.types import Image

TEXTURE, PART, OBJECT = "texture", "part", "object"


@dataclass(frozen=True, slots=True, eq=False)
class PixelConcepts:
    """For each kind of concept its ``names``, and a map (H, W) uint8 with 0 for none of them, else the place of a name + 1."""

    names: Mapping[str, tuple[str, ...]]
    maps: Mapping[str, Image]
