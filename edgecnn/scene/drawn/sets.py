"""The sets of drawn images by name: ``scene:stars``, ``scene:tags`` and ``scene:cars``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn.scene.drawn import cars, stars, tags
from edgecnn.scene.drawn.drawing import Drawn
from edgecnn.scene.drawn.options import DrawnOptions


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """The classes of a set, and what draws one image of a class at a size with a share of the shortcut."""

    labels: tuple[str, ...]
    draw: Callable[[np.random.Generator, int, int, float], Drawn]


SETS: Mapping[str, DrawnSet] = {
    "scene:stars": DrawnSet(stars.LABELS, stars.draw),
    "scene:tags": DrawnSet(tags.LABELS, tags.draw),
    "scene:cars": DrawnSet(cars.LABELS, cars.draw),
}


def drawn(name: str, options: DrawnOptions, index: int) -> Drawn:
    """Image ``index`` of the set ``name``; it depends on nothing else, and the classes take turns."""
    random = np.random.default_rng((options.seed, index))
    found = SETS[name]
    return found.draw(random, index % len(found.labels), options.size, options.shortcut)
