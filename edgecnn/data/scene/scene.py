"""The virtual camera: any frame of the scene by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from edgecnn.data.scene.camera import Camera, camera
from edgecnn.data.scene.canvas import Canvas, Sprite, pitch_at, place
from edgecnn.data.scene.light import develop
from edgecnn.data.scene.options import LABELS, SceneOptions
from edgecnn.data.scene.paint_flat import box
from edgecnn.data.scene.paint_turned import clear, solid
from edgecnn.data.scene.revolve import extent, view
from edgecnn.data.scene.shadow import cast
from edgecnn.data.scene.table import lay
from edgecnn.data.scene.truth import Painted, Truth, truth
from edgecnn.data.scene.world import MAX_IDENTITIES, Thing, World, build
from edgecnn.types import Image

KEPT_CUTS = 4


class Scene:
    """A table-top that never ends, as a camera sees it; each frame depends on the options and its number alone.

    ``labels`` names the classes, ``fps`` is frames per second, ``size`` (width, height). Safe to use from several threads.
    """

    def __init__(self, options: SceneOptions) -> None:
        self.options = options
        self.labels = LABELS
        self.fps = options.fps
        self.size = options.size
        self._worlds: OrderedDict[int, tuple[World, dict[int, Sprite]]] = OrderedDict()
        self._lock = threading.Lock()

    def cut(self, index: int) -> int:
        """The number of the cut that frame ``index`` belongs to."""
        return int(index / self.fps / self.options.cut + 1e-9)

    def render(self, index: int) -> tuple[Image, Truth]:
        """Frame ``index`` (H, W, 3) uint8 BGR and what it shows. Raises ``ValueError`` below zero."""
        if index < 0:
            raise ValueError(f"wanted a frame number from 0, found {index}: count from 0")
        number = self.cut(index)
        t = index / self.fps - number * self.options.cut
        world, sprites = self._world(number)
        eye = camera(world.rig, t, self.size)
        canvas = Canvas(lay(world.ground, eye, self.size), np.zeros(self.size[::-1], np.uint8))
        painted = self._paint(canvas, world, sprites, eye, t)
        image = develop(canvas.image, world.light, t, index, self.options.seed)
        return image, truth(canvas.ids, painted)

    def _world(self, number: int) -> tuple[World, dict[int, Sprite]]:
        with self._lock:
            known = self._worlds.get(number)
            if known is not None:
                self._worlds.move_to_end(number)
                return known
        made: tuple[World, dict[int, Sprite]] = (build(self.options, number), {})
        with self._lock:
            made = self._worlds.setdefault(number, made)
            while len(self._worlds) > KEPT_CUTS:
                self._worlds.popitem(last=False)
        return made

    def _paint(self, canvas: Canvas, world: World, sprites: dict[int, Sprite], eye: Camera, t: float) -> list[Painted]:
        order = sorted(world.things, key=lambda thing: (thing.layer > 0, -_depth(thing, eye, t), thing.layer))
        low = [thing for thing in order if thing.layer == 0]
        tall = [thing for thing in order if thing.layer > 0]
        painted: list[Painted] = []
        for thing in low:
            self._draw(canvas, world, sprites, eye, t, thing, painted)
        cast(canvas.image, eye, world.light, tall, t)
        for thing in tall:
            self._draw(canvas, world, sprites, eye, t, thing, painted)
        return painted

    def _draw(
        self,
        canvas: Canvas,
        world: World,
        sprites: dict[int, Sprite],
        eye: Camera,
        t: float,
        thing: Thing,
        painted: list[Painted],
    ) -> None:
        x, y = thing.place(t)
        foot = np.array([x, y, thing.lift])
        if ((foot - eye.position) @ eye.axes[2]) < 8:
            return
        if thing.shape is None:
            box(canvas, eye, world.light, foot, thing.yaw.at(t), thing.size, thing.look)
            return
        sprite, pitch = self._sprite(world, sprites, thing, t)
        stretch = extent(thing.shape, pitch_at(eye, foot)) / extent(thing.shape, pitch)
        affine = place(sprite, eye, foot, thing.height, stretch)
        canvas.stamp(sprite, affine, thing.number)
        if thing.label >= 0:
            area = sprite.area * sprite.scale**2 * abs(float(np.linalg.det(affine[:, :2])))
            painted.append(Painted(thing.number, thing.label, world.number * MAX_IDENTITIES + thing.number, area, None))

    def _sprite(self, world: World, sprites: dict[int, Sprite], thing: Thing, t: float) -> tuple[Sprite, float]:
        eye = camera(world.rig, world.middle, self.size)
        x, y = thing.place(world.middle)
        foot = np.array([x, y, thing.lift])
        pitch = float(np.clip(pitch_at(eye, foot), 0.15, 1.5))
        cached = sprites.get(thing.number)
        if cached is not None and not thing.handle:
            return cached, pitch
        away = foot - eye.position
        pixels = eye.focal / float(np.sqrt(away @ away))
        assert thing.shape is not None
        seen = view(thing.shape, pitch, pixels * 1.5, thing.shape.radius * 0.9 if thing.handle else 0, thing.kind == "glass")
        towards = -away[:2] / np.hypot(*away[:2])
        if thing.kind == "glass":
            sprite = clear(seen, thing.look, world.light, towards)
        else:
            sprite = solid(seen, thing.look, world.light, towards, thing.yaw.at(t), thing.handle)
        sprites[thing.number] = sprite
        return sprite, pitch


def _depth(thing: Thing, eye: Camera, t: float) -> float:
    x, y = thing.place(t)
    return float((np.array([x, y, thing.lift]) - eye.position) @ eye.axes[2])
