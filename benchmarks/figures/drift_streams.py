"""Streams of the scene in which nothing changes, or in which one thing changes at a known time."""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from edgecnn.scene.options import SceneOptions
from edgecnn.scene.renderer import CutRenderer
from edgecnn.scene.world import World, build_world
from edgecnn.types import Image

SIZE = (320, 240)
CUT_S = {"cuts": 8.0, "fixed": 3600.0}  # seconds until the camera of a stream looks at another table
_CACHED = 4


def night(image: Image, index: int) -> Image:
    """Four stops darker, with the grain of a sensor at its limit."""
    grain = np.random.default_rng(index).normal(0, 4, image.shape)
    return np.asarray(np.clip(image * np.float32(1 / 16) + grain, 0, 255), np.uint8)


def blur(image: Image, index: int) -> Image:
    """Out of focus: a Gaussian of one percent of the width."""
    return cv2.GaussianBlur(image, (0, 0), image.shape[1] / 100).astype(np.uint8, copy=False)


def moved(world: World) -> World:
    """The camera was pushed: turned by 35 degrees, and hanging on its side by 60."""
    way = world.camera_motion
    yaw = dataclasses.replace(way.yaw, start=way.yaw.start + math.radians(35))
    roll = dataclasses.replace(way.roll, start=way.roll.start + math.radians(60))
    return dataclasses.replace(world, camera_motion=dataclasses.replace(way, yaw=yaw, roll=roll))


Change = Callable[[Image, int], Image]
IMAGE_CHANGES: Mapping[str, Change] = {"night": night, "blur": blur}
DRIFTS = ("night", "blur", "moved camera", "other objects")


@dataclass(slots=True)
class PlantedStream:
    """A camera at ``fps`` frames per second: ``kind`` "cuts" shows another table every 8 s, "fixed" the same one all the time.

    ``frame(index, drift)`` renders any frame, with one of ``DRIFTS`` or none.
    """

    seed: int
    kind: str
    fps: float = 2.0
    _renderers: OrderedDict[tuple[int, str], CutRenderer] = field(default_factory=OrderedDict)

    @property
    def options(self) -> SceneOptions:
        """Those of the scene without a drift."""
        return SceneOptions(seed=self.seed, fps=self.fps, size=SIZE, cut=CUT_S[self.kind])

    def frame(self, index: int, drift: str = "") -> Image:
        """Frame ``index`` (240, 320, 3) uint8 BGR."""
        cut = CUT_S[self.kind]
        number = int(index / self.fps / cut + 1e-9)
        t = index / self.fps - number * cut
        renderer = self._renderer(number, drift)
        canvas, _ = renderer.paint(t)
        image = renderer.apply_sensor(canvas, t, index, self.seed)
        change = IMAGE_CHANGES.get(drift)
        return image if change is None else change(image, index)

    def _renderer(self, number: int, drift: str) -> CutRenderer:
        drift = "" if drift in IMAGE_CHANGES else drift
        known = self._renderers.get((number, drift))
        if known is None:
            options = self.options
            if drift == "other objects":
                options = dataclasses.replace(options, objects=0, clutter=options.objects + options.clutter)
            world = build_world(options, number)
            known = CutRenderer(moved(world) if drift == "moved camera" else world, SIZE)
            self._renderers[number, drift] = known
            while len(self._renderers) > _CACHED:
                self._renderers.popitem(last=False)
        return known
