"""Renders the frames of one cut; parts that are equal in all frames are computed once and cached."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.scene.camera import Float64, PinholeCamera, camera_at
from edgecnn.scene.canvas import Canvas, Sprite, pitch_at, sprite_transform
from edgecnn.scene.decals import MARGIN, decal
from edgecnn.scene.ground_truth import PaintedObject
from edgecnn.scene.light import apply_sensor, gain
from edgecnn.scene.paint_flat import lit_from_above, paint_box
from edgecnn.scene.paint_glass import paint_glass
from edgecnn.scene.paint_hand import paint_hand
from edgecnn.scene.paint_revolved import HANDLE_POINTS, RevolvedBody, points_shown, revolved_body
from edgecnn.scene.profiles import POINTS, Profile
from edgecnn.scene.revolve import View, extent, view
from edgecnn.scene.shadow import cast_shadows, ground_contact
from edgecnn.scene.table import lay, wall_mask
from edgecnn.scene.world import MAX_IDENTITIES, SceneObject, World
from edgecnn.types import Array, Image

FINE = 1.6  # resolution of sprites, relative to their size in the image in the middle of the cut
NEAREST = 8.0  # cm in front of the camera: closer objects are not drawn
NO_COVER = np.zeros(3)
COVERED = 255  # in the images of ``covers``
NOTHING = 255  # in an id image: no object has this number


@dataclass(frozen=True, slots=True, eq=False)
class PreparedObject:
    """A prepared object: a fixed sprite, a body whose sprite depends on the yaw, or the top of a box.

    ``cover`` is the colour of a box's sides; ``extent`` is the height at which a solid of revolution was painted, in cm,
    ``pitch`` the angle, in radians.
    """

    still: Sprite | None
    revolved: RevolvedBody | None
    top: Array | None
    cover: Float64
    extent: float
    pitch: float = 0.0

    def sprite(self, yaw: float) -> Sprite:
        """The sprite at a rotation of ``yaw`` radians."""
        if self.still is not None:
            return self.still
        assert self.revolved is not None
        return self.revolved.sprite(yaw)


class CutRenderer:
    """Renders one cut as images of (width, height). Thread-safe: two threads may prepare the same object, with equal results."""

    def __init__(self, world: World, size: tuple[int, int]) -> None:
        self._world, self._size = world, size
        self._middle = camera_at(world.camera_motion, world.middle, size)
        self._prepared: dict[int, PreparedObject] = {}
        self._gain = gain(world.light, 0.0, size) if not world.light.bars[2] else None

    def paint(self, t: float) -> tuple[Canvas, list[PaintedObject]]:
        """The image at ``t`` seconds, before the sensor stage, and the labelled objects in it."""
        camera = camera_at(self._world.camera_motion, t, self._size)
        canvas = Canvas(lay(self._world.ground, camera, self._size), np.zeros(self._size[::-1], np.uint8))
        low, tall, feet = self._standing(camera, t)
        for item in low:
            self._block(canvas, camera, item, feet[item.number], t)
        cast_shadows(canvas.image, camera, self._world.light, tall, t)
        painted = [self._tall(canvas, camera, item, feet[item.number], t) for item in _far_to_near(camera, tall, feet)]
        self._hand(canvas, camera, t)
        return canvas, [done for done in painted if done is not None]

    @property
    def material(self) -> str:
        """The pattern of the table."""
        return self._world.ground.material

    def covers(self, t: float) -> Iterator[tuple[SceneObject | None, Image]]:
        """Each thing at ``t`` seconds in the order of painting (None: the hand) with what it covers, (H, W) uint8.

        0 is nothing. A solid of revolution has the index of the profile point + 1, or HANDLE; all else is COVERED, as are the pixels
        at the edge of a solid where no point is known.
        """
        camera = camera_at(self._world.camera_motion, t, self._size)
        low, tall, feet = self._standing(camera, t)
        canvas = Canvas(np.zeros((*self._size[::-1], 3), np.uint8), np.empty(self._size[::-1], np.uint8))
        for item in (*low, *_far_to_near(camera, tall, feet)):
            canvas.ids[:] = NOTHING
            self._tall(canvas, camera, item, feet[item.number], t)
            covered = canvas.ids != NOTHING
            points = self._points(camera, item, feet[item.number], t) if item.shape is not None and covered.any() else COVERED
            yield item, np.where(covered, points, 0).astype(np.uint8)
        canvas.ids[:] = NOTHING
        self._hand(canvas, camera, t)
        yield None, np.where(canvas.ids != NOTHING, COVERED, 0).astype(np.uint8)

    def wall(self, t: float) -> NDArray[np.bool_]:
        """Where the wall behind the table shows before anything is painted on it, (H, W)."""
        return wall_mask(self._world.ground, camera_at(self._world.camera_motion, t, self._size), self._size)

    def apply_sensor(self, canvas: Canvas, t: float, index: int, seed: int) -> Image:
        """The image after the sensor; its noise depends on the seed and the frame's ``index``."""
        lamp = self._world.light
        gained = self._gain if self._gain is not None else gain(lamp, t, self._size)
        return apply_sensor(canvas.image, lamp, gained, index, seed)

    def _standing(self, camera: PinholeCamera, t: float) -> tuple[list[SceneObject], list[SceneObject], dict[int, Float64]]:
        """The flat and the standing objects, and the feet of all by number."""
        feet = {item.number: np.array([*item.place(t), item.lift]) for item in self._world.objects}
        shown = [item for item in self._world.objects if self._stands(camera, feet[item.number])]
        return [item for item in shown if item.layer == 0], [item for item in shown if item.layer > 0], feet

    def _stands(self, camera: PinholeCamera, foot: Float64) -> bool:
        """Whether the object is in front of the camera and still on the table."""
        return _depth_of(camera, foot) > NEAREST and foot[1] < self._world.ground.edge

    def _tall(self, canvas: Canvas, camera: PinholeCamera, item: SceneObject, foot: Float64, t: float) -> PaintedObject | None:
        if item.shape is None:
            self._block(canvas, camera, item, foot, t)
            return None
        prepared, sprite, affine = self._placed(camera, item, foot, t)
        if item.lift:
            ground_contact(canvas.image, camera, foot, float(item.shape.r[0]) * 1.35)
        box = canvas.stamp(sprite, affine, item.number)
        if box is None or item.label < 0:
            return None
        # the determinant of an affine map is its change of area
        grown = abs(float(affine[0, 0] * affine[1, 1] - affine[0, 1] * affine[1, 0]))
        area = sprite.area * sprite.scale**2 * grown
        handle = None if sprite.handle is None else sprite.handle @ affine[:, :2].T + affine[:, 2]
        identity = self._world.number * MAX_IDENTITIES + item.number
        points = _key_points(item.shape, sprite, prepared.pitch) @ affine[:, :2].T + affine[:, 2]
        thick = sprite.thick * math.sqrt(grown)
        return PaintedObject(item.number, item.label, identity, area, box, handle, HANDLE_POINTS, thick, points)

    def _placed(
        self, camera: PinholeCamera, item: SceneObject, foot: Float64, t: float
    ) -> tuple[PreparedObject, Sprite, Float64]:
        """A solid of revolution with its sprite, and the map from the sprite to the image."""
        assert item.shape is not None
        prepared = self._prepare(item)
        sprite = prepared.sprite(item.yaw.at(t))
        stretch = extent(item.shape, pitch_at(camera, foot)) / prepared.extent
        return prepared, sprite, sprite_transform(sprite, camera, foot, item.height, stretch)

    def _points(self, camera: PinholeCamera, item: SceneObject, foot: Float64, t: float) -> Image:
        """The profile point + 1 that each pixel of the image (H, W) shows of a solid of revolution, COVERED where none."""
        prepared, sprite, affine = self._placed(camera, item, foot, t)
        seen, towards = self._view(item)
        # a sprite that was painted once shows the object as it stood at first
        yaw = item.yaw.start if prepared.still is not None else item.yaw.at(t)
        if item.kind == "glass":
            points, ox, oy = points_shown(seen), seen.ox, seen.oy
        else:
            body = revolved_body(seen, item.appearance, self._world.light, towards, item.handle)
            points, ox, oy = body.profile_points(yaw)
        moved = affine.copy()
        moved[:, 2] -= affine[:, :2] @ [ox - sprite.ox, oy - sprite.oy]
        found = cv2.warpAffine(points, moved, self._size, flags=cv2.INTER_NEAREST)
        return np.where(found > 0, found, COVERED).astype(np.uint8)

    def _block(self, canvas: Canvas, camera: PinholeCamera, item: SceneObject, foot: Float64, t: float) -> None:
        prepared = self._prepare(item)
        assert prepared.top is not None
        paint_box(canvas, camera, self._world.light, foot, item.yaw.at(t), item.size, prepared.top, prepared.cover)

    def _hand(self, canvas: Canvas, camera: PinholeCamera, t: float) -> None:
        if self._world.hand is None or not self._world.objects:
            return
        item = self._world.objects[self._world.hand.target % len(self._world.objects)]
        foot = np.array([*item.place(t), item.height * 0.7])
        depth = _depth_of(camera, foot)
        if depth > NEAREST:
            paint_hand(canvas, self._world.hand, self._world.light, camera.project(foot[None])[0], camera.focal / depth, t)

    def _prepare(self, item: SceneObject) -> PreparedObject:
        known = self._prepared.get(item.number)
        if known is None:
            known = self._prepared[item.number] = self._make(item)
        return known

    def _make(self, item: SceneObject) -> PreparedObject:
        if item.shape is None:
            top = decal(item.kind, item.size, item.appearance)
            cover = top[MARGIN + 2, MARGIN + 2, :3].astype(np.float64)
            return PreparedObject(None, None, lit_from_above(top, self._world.light), cover, 1.0)
        seen, towards = self._view(item)
        tall, pitch = extent(item.shape, seen.pitch), seen.pitch
        if item.kind == "glass":
            return PreparedObject(
                paint_glass(seen, item.appearance, self._world.light, towards), None, None, NO_COVER, tall, pitch
            )
        whole = revolved_body(seen, item.appearance, self._world.light, towards, item.handle)
        turns = item.yaw.drift and (item.handle or item.appearance.pattern != "plain")
        return PreparedObject(
            None if turns else whole.sprite(item.yaw.start), whole if turns else None, None, NO_COVER, tall, pitch
        )

    def _view(self, item: SceneObject) -> tuple[View, Float64]:
        """A solid of revolution in the pose in the middle of the cut, where the differences to all other frames are smallest.

        With it the horizontal direction to the camera.
        """
        assert item.shape is not None
        foot = np.array([*item.place(self._world.middle), item.lift])
        pitch = float(np.clip(pitch_at(self._middle, foot), 0.15, 1.5))
        away = foot - self._middle.position
        scale = FINE * self._middle.focal / max(float(np.sqrt(away @ away)), NEAREST)
        scale = min(scale, max(self._size) / item.shape.radius)
        towards = -away[:2] / max(float(np.hypot(*away[:2])), 1e-6)
        margin = item.shape.radius * 0.9 if item.handle else 0
        return view(item.shape, pitch, scale, margin, item.kind == "glass"), towards


def _far_to_near(camera: PinholeCamera, objects: list[SceneObject], feet: dict[int, Float64]) -> list[SceneObject]:
    """The painter's algorithm, by depth on the table: an object on a plate is drawn after its plate."""
    return sorted(objects, key=lambda item: (-_depth_of(camera, feet[item.number] * [1, 1, 0]), item.layer))


def _depth_of(camera: PinholeCamera, point: Float64) -> float:
    """Depth of ``point`` in front of the camera, in cm."""
    return float((point - camera.position) @ camera.axes[2])


def _key_points(shape: Profile, sprite: Sprite, pitch: float) -> Float64:
    """The pixels (4, 2) of KEY_POINTS in a sprite that was painted at ``pitch``: the projection of ``revolve.view``."""
    rim = min(shape.rim, POINTS - 1)
    radius, top = float(shape.r[rim]), -float(shape.h[rim]) * np.cos(pitch)
    centimetres = np.array([[0, top], [-radius, top], [radius, top], [0, 0]])
    return np.asarray(centimetres * sprite.scale + [sprite.ox, sprite.oy])
