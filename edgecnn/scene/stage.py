"""One cut, ready to be painted at any time: what does not change from frame to frame is made once and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.scene.camera import Camera, Real, camera
from edgecnn.scene.canvas import Canvas, Sprite, pitch_at, place
from edgecnn.scene.decals import MARGIN, decal
from edgecnn.scene.ground_truth import Painted
from edgecnn.scene.light import develop, gain
from edgecnn.scene.paint_flat import block, lit_from_above
from edgecnn.scene.paint_glass import clear
from edgecnn.scene.paint_hand import paint_hand
from edgecnn.scene.paint_turned import HANDLE_POINTS, Turned, turned
from edgecnn.scene.revolve import extent, view
from edgecnn.scene.shadow import cast, ground_contact
from edgecnn.scene.table import lay
from edgecnn.scene.world import MAX_IDENTITIES, Thing, World
from edgecnn.types import Array, Image

FINE = 1.6
NEAREST = 8.0
NO_COVER = np.zeros(3)


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """A thing made ready: a picture that stays, or one that is painted anew as it turns, or the picture on a block.

    ``cover`` is the colour of a block's sides; ``extent`` how tall a turned thing was painted, in cm.
    """

    still: Sprite | None
    turning: Turned | None
    top: Array | None
    cover: Real
    extent: float

    def sprite(self, yaw: float) -> Sprite:
        """The picture at a turn of ``yaw`` radians."""
        if self.still is not None:
            return self.still
        assert self.turning is not None
        return self.turning.sprite(yaw)


class Stage:
    """The painter of one cut for pictures of (width, height). Safe to use from several threads: props are equal whoever makes them."""

    def __init__(self, world: World, size: tuple[int, int]) -> None:
        self._world, self._size = world, size
        self._middle = camera(world.rig, world.middle, size)
        self._props: dict[int, Prop] = {}
        self._gain = gain(world.light, 0.0, size) if not world.light.bars[2] else None

    def paint(self, t: float) -> tuple[Canvas, list[Painted]]:
        """The picture at ``t`` seconds, before the sensor, and what was painted."""
        eye = camera(self._world.rig, t, self._size)
        canvas = Canvas(lay(self._world.ground, eye, self._size), np.zeros(self._size[::-1], np.uint8))
        feet = {thing.number: np.array([*thing.place(t), thing.lift]) for thing in self._world.things}
        shown = [thing for thing in self._world.things if self._stands(eye, feet[thing.number])]
        low = [thing for thing in shown if thing.layer == 0]
        tall = [thing for thing in shown if thing.layer > 0]
        for thing in low:
            self._block(canvas, eye, thing, feet[thing.number], t)
        cast(canvas.image, eye, self._world.light, tall, t)
        tall.sort(key=lambda thing: (-_ahead(eye, feet[thing.number] * [1, 1, 0]), thing.layer))
        painted = [self._tall(canvas, eye, thing, feet[thing.number], t) for thing in tall]
        self._hand(canvas, eye, t)
        return canvas, [done for done in painted if done is not None]

    def develop(self, canvas: Canvas, t: float, index: int, seed: int) -> Image:
        """The picture as the sensor sees it; its grain depends on the seed and the frame's ``index``."""
        lamp = self._world.light
        gained = self._gain if self._gain is not None else gain(lamp, t, self._size)
        return develop(canvas.image, lamp, gained, index, seed)

    def _stands(self, eye: Camera, foot: Real) -> bool:
        """Whether it is in front of the camera and has not slid off the table."""
        return _ahead(eye, foot) > NEAREST and foot[1] < self._world.ground.edge

    def _tall(self, canvas: Canvas, eye: Camera, thing: Thing, foot: Real, t: float) -> Painted | None:
        if thing.shape is None:
            self._block(canvas, eye, thing, foot, t)
            return None
        prop, yaw = self._prop(thing), thing.yaw.at(t)
        sprite = prop.sprite(yaw)
        affine = place(sprite, eye, foot, thing.height, extent(thing.shape, pitch_at(eye, foot)) / prop.extent)
        if thing.lift:
            ground_contact(canvas.image, eye, foot, float(thing.shape.r[0]) * 1.35)
        box = canvas.stamp(sprite, affine, thing.number)
        if box is None or thing.label < 0:
            return None
        area = sprite.area * sprite.scale**2 * abs(float(affine[0, 0] * affine[1, 1] - affine[0, 1] * affine[1, 0]))
        handle = None if sprite.handle is None else sprite.handle @ affine[:, :2].T + affine[:, 2]
        identity = self._world.number * MAX_IDENTITIES + thing.number
        return Painted(thing.number, thing.label, identity, area, box, handle, HANDLE_POINTS)

    def _block(self, canvas: Canvas, eye: Camera, thing: Thing, foot: Real, t: float) -> None:
        prop = self._prop(thing)
        assert prop.top is not None
        block(canvas, eye, self._world.light, foot, thing.yaw.at(t), thing.size, prop.top, prop.cover)

    def _hand(self, canvas: Canvas, eye: Camera, t: float) -> None:
        if self._world.hand is None or not self._world.things:
            return
        thing = self._world.things[self._world.hand.target % len(self._world.things)]
        foot = np.array([*thing.place(t), thing.height * 0.7])
        ahead = _ahead(eye, foot)
        if ahead > NEAREST:
            paint_hand(canvas, self._world.hand, self._world.light, eye.project(foot[None])[0], eye.focal / ahead, t)

    def _prop(self, thing: Thing) -> Prop:
        known = self._props.get(thing.number)
        if known is None:
            known = self._props[thing.number] = self._make(thing)
        return known

    def _make(self, thing: Thing) -> Prop:
        if thing.shape is None:
            top = decal(thing.kind, thing.size, thing.look)
            cover = top[MARGIN + 2, MARGIN + 2, :3].astype(np.float64)
            return Prop(None, None, lit_from_above(top, self._world.light), cover, 1.0)
        foot = np.array([*thing.place(self._world.middle), thing.lift])
        pitch = float(np.clip(pitch_at(self._middle, foot), 0.15, 1.5))
        away = foot - self._middle.position
        scale = FINE * self._middle.focal / max(float(np.sqrt(away @ away)), NEAREST)
        scale = min(scale, max(self._size) / thing.shape.radius)
        towards = -away[:2] / max(float(np.hypot(*away[:2])), 1e-6)
        seen = view(thing.shape, pitch, scale, thing.shape.radius * 0.9 if thing.handle else 0, thing.kind == "glass")
        tall = extent(thing.shape, pitch)
        if thing.kind == "glass":
            return Prop(clear(seen, thing.look, self._world.light, towards), None, None, NO_COVER, tall)
        whole = turned(seen, thing.look, self._world.light, towards, thing.handle)
        turns = thing.yaw.drift and (thing.handle or thing.look.pattern != "plain")
        return Prop(None if turns else whole.sprite(thing.yaw.start), whole if turns else None, None, NO_COVER, tall)


def _ahead(eye: Camera, point: Real) -> float:
    """How far in front of the camera ``point`` is, in cm."""
    return float((point - eye.position) @ eye.axes[2])
