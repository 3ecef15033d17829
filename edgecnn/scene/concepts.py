"""What each pixel of a frame shows, by the names of objects, of their parts and of textures: the renderer knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from edgecnn.scene.appearance import Appearance, decorated
from edgecnn.scene.materials import PALETTES
from edgecnn.scene.options import LABELS
from edgecnn.scene.paint_revolved import HANDLE
from edgecnn.scene.pixel_concepts import OBJECT, PART, TEXTURE, PixelConcepts
from edgecnn.scene.profiles import POINTS, SOLIDS, Profile
from edgecnn.scene.renderer import COVERED, CutRenderer
from edgecnn.scene.world import FLAT_KINDS, SceneObject
from edgecnn.types import Array, Image

RIM = 0.7  # cm around the edge of a hollow object that belong to its rim
STEM = 0.9  # cm: a thinner part of a glass is its stem
FOOT = 0.08  # of the height
# what patterns on surfaces are called: a badge, a dip and a plain glaze are no textures
_PATTERNS = {"speckle": "speckled", "food": "food"} | {name: name for name in ("bands", "stripes", "dots", "checks")}
_FLAT_TEXTURES = {"napkin": "cloth", "notebook": "writing", "paper": "writing"} | dict.fromkeys(
    ("spoon", "fork", "knife"), "metal"
)
NAMES: Mapping[str, tuple[str, ...]] = {
    TEXTURE: tuple(dict.fromkeys((*PALETTES, *_PATTERNS.values(), *_FLAT_TEXTURES.values(), "glass"))),
    PART: ("outside", "rim", "inside", "contents", "handle", "foot", "stem", "lid"),
    OBJECT: (*LABELS, *SOLIDS, *FLAT_KINDS, "hand", "wall", "table"),
}
"""The concepts of ``scene:cups`` by their kind."""


def frame_concepts(renderer: CutRenderer, t: float) -> PixelConcepts:
    """The concepts of the frame at ``t`` seconds of a cut of ``scene:cups``."""
    wall = renderer.wall(t)
    maps = {
        TEXTURE: np.where(wall, 0, _code(TEXTURE, renderer.material)).astype(np.uint8),
        PART: np.zeros(wall.shape, np.uint8),
        OBJECT: np.where(wall, _code(OBJECT, "wall"), _code(OBJECT, "table")).astype(np.uint8),
    }
    for item, cover in renderer.covers(t):
        shown = cover > 0
        for kind, codes in zip((TEXTURE, PART, OBJECT), _codes(item), strict=True):
            maps[kind][shown] = codes[cover[shown]]
    return PixelConcepts(NAMES, maps)


def _codes(item: SceneObject | None) -> Iterator[Image]:
    """For each value of a cover the codes (256,) of texture, part and object."""
    kind = "hand" if item is None else item.kind
    textures, parts = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    if item is not None and item.shape is not None:
        textures[:] = _code(TEXTURE, "glass") if kind == "glass" else 0
        if kind != "glass":
            textures[1 : POINTS + 1] = _surface(item.shape, item.appearance)
        if item.shape.rim < POINTS:
            parts[1 : POINTS + 1] = _hollow_parts(item.shape, kind == "glass")
        elif item.appearance.cap is not None:
            cap = item.shape.h > 0.93 * item.shape.height
            parts[1 : POINTS + 1] = np.where(cap, _code(PART, "lid"), _code(PART, "outside"))
        parts[HANDLE] = _code(PART, "handle")
    elif item is not None:
        textures[COVERED] = _code(TEXTURE, _FLAT_TEXTURES.get(kind, ""))
    yield textures
    yield parts
    yield np.full(256, _code(OBJECT, kind), np.uint8)


def _surface(shape: Profile, surface: Appearance) -> Array:
    """The texture (POINTS,) of each profile point of an opaque solid."""
    found = np.zeros(POINTS, np.uint8)
    found[decorated(shape, surface)] = _code(TEXTURE, _PATTERNS.get(surface.pattern, ""))
    found[shape.fill :] = 0
    if surface.cap is not None:
        found[shape.h > 0.93 * shape.height] = 0
    return found


def _hollow_parts(shape: Profile, may_have_stem: bool) -> Array:
    """The part (POINTS,) of each profile point of a cup, a glass, a bowl or a plate."""
    index = np.arange(POINTS)
    outer = index <= shape.rim
    found = np.where(outer, _code(PART, "outside"), _code(PART, "inside"))
    found[outer & (shape.h < FOOT * shape.height)] = _code(PART, "foot")
    if may_have_stem:
        found[outer & (shape.r < STEM) & (shape.h > FOOT * shape.height)] = _code(PART, "stem")
    away = np.hypot(shape.r - shape.r[shape.rim], shape.h - shape.h[shape.rim])
    found[away <= RIM] = _code(PART, "rim")
    found[shape.fill :] = _code(PART, "contents")
    return found


@cache
def _code(kind: str, name: str) -> int:
    """The value of a name in a map; 0 for a name that is no concept."""
    return NAMES[kind].index(name) + 1 if name in NAMES[kind] else 0
