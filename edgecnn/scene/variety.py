"""Unusual tables: any colours, and cameras nearer, farther, flatter and steeper than people hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgecnn.scene.appearance import Appearance, Colour
from edgecnn.scene.camera import CameraMotion, Motion
from edgecnn.scene.options import SceneOptions
from edgecnn.scene.table import Ground

STREAM = 1  # of the random numbers of a cut that belong to its variety: the usual ones stay the same


def variety(options: SceneOptions, number: int) -> np.random.Generator | None:
    """The random numbers of an unusual cut; None where the cut ``number`` is a usual one: ``vary`` is the share of unusual ones."""
    if not options.vary:
        return None
    rng = np.random.default_rng([options.seed, number, STREAM])
    return rng if rng.random() < options.vary else None


def unusual_camera(rng: np.random.Generator, way: CameraMotion) -> CameraMotion:
    """The camera elsewhere: 0.6 to 1.7 times as far away, 16 to 82 degrees steep, with a wider or narrower lens."""
    focal = float(np.exp(rng.uniform(np.log(0.65), np.log(1.9))))
    farther = float(np.exp(rng.uniform(-0.5, 0.5))) * focal / way.focal
    pitch = float(np.radians(rng.uniform(16, 82)))
    return replace(way, focal=focal, distance=_scaled(way.distance, farther), pitch=replace(way.pitch, start=pitch))


def unusual_ground(rng: np.random.Generator, table: Ground) -> Ground:
    """The table in any two colours, with a finer or coarser grain."""
    dark, light = rng.uniform(10, 245, (2, 3))
    return replace(
        table, dark=np.minimum(dark, light), light=np.maximum(dark, light), scale=table.scale * float(rng.uniform(1.0, 1.5))
    )


def unusual_colours(rng: np.random.Generator, surface: Appearance) -> Appearance:
    """The surface in any colours; one in three has the inside of its outside."""
    outside, inside, accent, liquid = (_colour(rng) for _ in range(4))
    inside = outside if rng.random() < 1 / 3 else inside
    cap = None if surface.cap is None else _colour(rng)
    return replace(surface, outside=outside, inside=inside, accent=accent, liquid=liquid, cap=cap)


def _colour(rng: np.random.Generator) -> Colour:
    b, g, r = rng.uniform(0.03, 1, 3)
    return float(b), float(g), float(r)


def _scaled(path: Motion, times: float) -> Motion:
    return replace(path, start=path.start * times, swing=path.swing * times)
