"""Streams of the scene in which nothing changes, or in which one thing changes at a known time."""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from edgecnn.scene.camera import CameraMotion
from edgecnn.scene.light import Light, apply_sensor, gain
from edgecnn.scene.options import SceneOptions
from edgecnn.scene.renderer import CutRenderer
from edgecnn.scene.world import build_world
from edgecnn.types import Image

SIZE = (320, 240)
CUT_S = {"cuts": 8.0, "fixed": 3600.0, "daylight": 3600.0}  # seconds until the camera of a stream looks at another table
HOUR_S = 3600.0
_CACHED = 4

Change = Callable[[Image, int], Image]
Move = Callable[[CameraMotion], CameraMotion]


def night(image: Image, index: int) -> Image:
    """Four stops darker, with the grain of a sensor at its limit."""
    grain = np.random.default_rng(index).normal(0, 4, image.shape)
    return np.asarray(np.clip(image * np.float32(1 / 16) + grain, 0, 255), np.uint8)


def blur(image: Image, index: int) -> Image:
    """Out of focus: a Gaussian of one percent of the width."""
    return cv2.GaussianBlur(image, (0, 0), image.shape[1] / 100).astype(np.uint8, copy=False)


def pushed(share: float) -> Move:
    """The camera was pushed aside by ``share`` of the width of its picture."""

    def move(way: CameraMotion) -> CameraMotion:
        width = way.distance.start / way.focal
        return dataclasses.replace(way, x=dataclasses.replace(way.x, start=way.x.start + share * width))

    return move


def askew(yaw: float, roll: float) -> Move:
    """The camera was turned by ``yaw`` and hangs on its side by ``roll``, in degrees."""

    def move(way: CameraMotion) -> CameraMotion:
        turned = dataclasses.replace(way.yaw, start=way.yaw.start + math.radians(yaw))
        return dataclasses.replace(way, yaw=turned, roll=dataclasses.replace(way.roll, start=way.roll.start + math.radians(roll)))

    return move


IMAGE_CHANGES: Mapping[str, Change] = {"night": night, "blur": blur}
MOVES: Mapping[str, Move] = {
    "askew by 60 degrees": askew(35, 60),
    "askew by 20 degrees": askew(10, 20),
    "pushed by 60 % of the picture": pushed(0.6),
    "pushed by 30 % of the picture": pushed(0.3),
    "pushed by 10 % of the picture": pushed(0.1),
}
OTHER_OBJECTS = "other objects"
DRIFTS = (*IMAGE_CHANGES, OTHER_OBJECTS, *MOVES)
# What has to be found. Small moves are only reported; a camera that sees another table all the time has no place it is pushed from.
CLAIMED: Mapping[str, tuple[str, ...]] = {
    "cuts": (*IMAGE_CHANGES, OTHER_OBJECTS, "askew by 60 degrees"),
    "fixed": (*IMAGE_CHANGES, OTHER_OBJECTS, *list(MOVES)[:1], *list(MOVES)[2:4]),
    "daylight": (*IMAGE_CHANGES, OTHER_OBJECTS, *list(MOVES)[:1], *list(MOVES)[2:4]),
}


def daylight(lamp: Light, t: float) -> Light:
    """The light of an hour in which the sun comes and goes: half a stop up and down, warmer at the ends, its spot wanders."""
    share = t / HOUR_S
    warm = 0.1 * math.cos(2 * math.pi * share)
    return dataclasses.replace(
        lamp,
        exposure=1.12 * 2 ** (-0.2 - 0.5 * math.cos(2 * math.pi * share)),
        tint=np.array([1 - warm, 1.0, 1 + warm]),
        pool=(0.1 + 0.8 * share, lamp.pool[1], max(lamp.pool[2], 0.15)),
    )


@dataclass(slots=True)
class PlantedStream:
    """A camera at ``fps`` frames per second: ``kind`` "cuts" shows another table every 8 s, "fixed" the same one all the time.

    "daylight" is a fixed one whose light changes slowly, within what the reference holds. ``frame(index, drift)`` renders any frame,
    with one of ``DRIFTS`` or none.
    """

    seed: int
    kind: str
    fps: float = 2.0
    _renderers: OrderedDict[tuple[int, str], CutRenderer] = field(default_factory=OrderedDict)
    _lamps: dict[int, Light] = field(default_factory=dict)

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
        if self.kind == "daylight":
            lamp = daylight(self._lamps[number], t)
            image = apply_sensor(canvas.image, lamp, gain(lamp, t, SIZE), index, self.seed)
        else:
            image = renderer.apply_sensor(canvas, t, index, self.seed)
        change = IMAGE_CHANGES.get(drift)
        return image if change is None else change(image, index)

    def _renderer(self, number: int, drift: str) -> CutRenderer:
        drift = "" if drift in IMAGE_CHANGES else drift
        known = self._renderers.get((number, drift))
        if known is None:
            options = self.options
            if drift == OTHER_OBJECTS:
                options = dataclasses.replace(options, objects=0, clutter=options.objects + options.clutter)
            world = build_world(options, number)
            self._lamps[number] = world.light
            if drift in MOVES:
                world = dataclasses.replace(world, camera_motion=MOVES[drift](world.camera_motion))
            known = CutRenderer(world, SIZE)
            self._renderers[number, drift] = known
            while len(self._renderers) > _CACHED:
                self._renderers.popitem(last=False)
        return known
