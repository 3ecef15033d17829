"""The sets of drawn images by name: ``scene:stars``, ``scene:tags`` and ``scene:cars``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn.scene.drawn import cars, stars, tags
from edgecnn.scene.drawn.drawing import COVERED, Drawn
from edgecnn.scene.drawn.options import DrawnOptions
from edgecnn.scene.pixel_concepts import PixelConcepts


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """The classes of a set, its concepts by kind, and what draws one image of a class at a size with a share of the shortcut."""

    labels: tuple[str, ...]
    concepts: Mapping[str, tuple[str, ...]]
    draw: Callable[[np.random.Generator, int, int, float], Drawn]


SETS: Mapping[str, DrawnSet] = {
    "scene:stars": DrawnSet(stars.LABELS, stars.CONCEPTS, stars.draw),
    "scene:tags": DrawnSet(tags.LABELS, tags.CONCEPTS, tags.draw),
    "scene:cars": DrawnSet(cars.LABELS, cars.CONCEPTS, cars.draw),
}


def drawn(name: str, options: DrawnOptions, index: int) -> Drawn:
    """Image ``index`` of the set ``name``; it depends on nothing else, and the classes take turns."""
    random = np.random.default_rng((options.seed, index))
    found = SETS[name]
    return found.draw(random, index % len(found.labels), options.size, options.shortcut)


def drawn_concepts(name: str, found: Drawn) -> PixelConcepts:
    """What each pixel of an image of the set ``name`` shows."""
    names = SETS[name].concepts
    maps = {kind: np.zeros(found.image.shape[:2], np.uint8) for kind in names}
    for kind, concept, cover in found.concepts:
        maps[kind][cover * 255 >= COVERED] = names[kind].index(concept) + 1
    return PixelConcepts(names, maps)
