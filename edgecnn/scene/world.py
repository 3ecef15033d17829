"""Generates the world of one cut: camera, light, table, and objects with their motion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgecnn.scene.appearance import Appearance, sample_appearance
from edgecnn.scene.camera import CameraMotion, Float64, Motion, PinholeCamera, camera_at, sample_camera_motion
from edgecnn.scene.light import Light, sample_light
from edgecnn.scene.options import LABELS, SceneOptions
from edgecnn.scene.paint_hand import Hand, sample_hand
from edgecnn.scene.profiles import SOLIDS, Profile, profile
from edgecnn.scene.table import Ground, sample_ground
from edgecnn.scene.variety import unusual_camera, unusual_colours, unusual_ground, variety

# width, depth and height in cm
FLAT_KINDS: dict[str, tuple[float, float, float]] = {
    "napkin": (15, 15, 0.3), "phone": (7.2, 14.8, 0.8), "book": (14, 20, 2.2), "notebook": (13, 18, 0.6), "spoon": (3.6, 17, 0.5),
    "fork": (2.6, 18, 0.5), "knife": (2.2, 20, 0.4), "pen": (1.0, 14, 0.7), "coin": (2.4, 2.4, 0.2), "box": (9, 12, 7.0),
    "carton": (7, 7, 15.0), "card": (8.6, 5.4, 0.1), "pad": (9.4, 9.4, 0.5), "mat": (27, 27, 0.2), "paper": (21, 29, 0.1),
}  # fmt: skip
REVOLVED = (*LABELS, *SOLIDS)
MAX_IDENTITIES = 128  # per cut: identity = cut * 128 + number; at most 72 objects are drawn for a cut


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject:
    """One object: kind, label (class index or -1), position and yaw over time, profile or (width, depth, height), appearance.

    ``lift`` is the height in cm at which it stands; layer 0 lies flat on the table and is painted first.
    """

    number: int
    kind: str
    label: int
    x: Motion
    y: Motion
    yaw: Motion
    lift: float
    layer: int
    shape: Profile | None
    size: tuple[float, float, float]
    appearance: Appearance
    handle: bool

    @property
    def radius(self) -> float:
        """Radius of the circle that it occupies on the table, in cm."""
        return self.shape.radius if self.shape is not None else 0.45 * max(self.size[:2])

    @property
    def height(self) -> float:
        """Height in cm."""
        return self.shape.height if self.shape is not None else self.size[2]

    def falls(self, edge: float, times: Float64) -> bool:
        """Whether it crosses the table's far edge at one of ``times``."""
        return bool(self.track(times)[:, 1].max() + self.radius > edge)

    def track(self, times: Float64) -> Float64:
        """Positions (n, 2) on the table at ``times``."""
        return np.column_stack([self.x.over(times), self.y.over(times)])

    def place(self, t: float) -> tuple[float, float]:
        """Position (x, y) of the foot's centre at ``t`` seconds, in cm."""
        return self.x.at(t), self.y.at(t)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One cut: its number, camera, light, table and objects."""

    number: int
    camera_motion: CameraMotion
    light: Light
    ground: Ground
    objects: tuple[SceneObject, ...]
    hand: Hand | None
    middle: float


def build_world(options: SceneOptions, number: int) -> World:
    """The cut with that number; it depends on the options, the seed and the number alone."""
    # seeded by cut: any frame can be rendered without those before it
    rng = np.random.default_rng([options.seed, number])
    way, lamp, table = sample_camera_motion(options, rng), sample_light(options, rng), sample_ground(rng)
    varied = variety(options, number)
    if varied is not None:
        way, table = unusual_camera(varied, way), unusual_ground(varied, table)
    middle = min(options.cut, 60.0) / 2
    camera = camera_at(way, middle, options.size)
    objects: list[SceneObject] = []
    for kind, label in _choose_kinds(options, rng):
        item = _make_object(rng, len(objects), kind, label)
        if varied is not None:
            item = replace(item, appearance=unusual_colours(varied, item.appearance))
        placed = _place_object(rng, item, objects, camera, options, table, middle)
        if placed is not None:
            objects.append(placed)
    # after everything was placed: the same table, seen otherwise
    if options.pitch is not None:
        way = replace(way, pitch=Motion(math.radians(options.pitch)))
    if options.turn:
        objects = [replace(item, yaw=replace(item.yaw, start=item.yaw.start + math.radians(options.turn))) for item in objects]
    reaches = rng.random() < (0.1 + 0.3 * options.occlude if options.occlude else 0)
    return World(number, way, lamp, table, tuple(objects), sample_hand(rng, options.speed) if reaches else None, middle)


def _choose_kinds(options: SceneOptions, rng: np.random.Generator) -> Iterator[tuple[str, int]]:
    """Kinds and labels: large objects first, so that the small ones find room."""
    labelled = rng.integers(len(LABELS), size=_draw_count(options.objects, rng))
    names = (*FLAT_KINDS, *SOLIDS, "can", "tin", "coaster", "lid")
    clutter = rng.integers(len(names), size=_draw_count(options.clutter, rng))
    yield from ((LABELS[k], int(k)) for k in sorted(labelled, reverse=True))
    yield from ((names[k], -1) for k in clutter)


def _draw_count(mean: int, rng: np.random.Generator) -> int:
    return int(rng.integers((mean + 1) // 2, mean + mean // 2 + 1)) if mean else 0


def _make_object(rng: np.random.Generator, number: int, kind: str, label: int) -> SceneObject:
    fill = float(rng.uniform(0.35, 0.9)) if kind in ("mug", "glass", "bowl") and rng.random() < 0.5 else None
    shape = None
    size = FLAT_KINDS.get(kind, (0.0, 0.0, 0.0))
    grow, tall = float(rng.uniform(0.82, 1.18)), float(rng.uniform(0.85, 1.15))
    if kind in REVOLVED:
        base = profile(kind, int(rng.integers(32)), fill)
        shape = replace(base, r=base.r * np.float32(grow), h=base.h * np.float32(grow * tall))
    size = (size[0] * grow, size[1] * grow, size[2] * tall)
    return SceneObject(
        number=number,
        kind=kind,
        label=label,
        x=Motion(0),
        y=Motion(0),
        yaw=Motion(float(rng.uniform(0, 2 * np.pi))),
        lift=0.0,
        layer=1 if kind in REVOLVED or size[2] > 3 else 0,
        shape=shape,
        size=size,
        appearance=sample_appearance(rng, kind),
        handle=kind == "mug" and rng.random() < 0.9,
    )


def _place_object(
    rng: np.random.Generator,
    item: SceneObject,
    others: list[SceneObject],
    camera: PinholeCamera,
    options: SceneOptions,
    table: Ground,
    middle: float,
) -> SceneObject | None:
    """The object with a position and a motion without collisions; None if no free position was found."""
    times = middle * np.array([0, 0.5, 1, 1.5, 2])
    tracks = [other.track(times) for other in others]
    for attempt in range(14):
        plate = _find_plate(rng, item, others, options, middle)
        if plate is not None:
            return replace(item, x=plate.x, y=plate.y, lift=0.5, layer=2, yaw=replace(item.yaw, drift=plate.yaw.drift))
        x, y = _place_close(rng, item, others, camera, options, middle) or _place_anywhere(rng, camera)
        moves = _motion(rng, item, x, y, options.speed if attempt < 8 else 0.0, middle)
        candidate = replace(item, x=moves[0], y=moves[1], yaw=moves[2])
        if candidate.falls(table.edge, times) or _collides(candidate, others, times, tracks):
            continue
        return candidate
    return None


def _find_plate(
    rng: np.random.Generator, item: SceneObject, others: list[SceneObject], options: SceneOptions, middle: float
) -> SceneObject | None:
    """A plate that the object may stand on."""
    if item.kind not in ("mug", "bowl", "glass") or rng.random() > 0.12 + 0.1 * options.occlude or not options.occlude:
        return None
    for other in others:
        taken = any(o.lift and math.dist(o.place(middle), other.place(middle)) < 1 for o in others)
        if other.kind == "plate" and other.radius > item.radius * 1.3 and not taken:
            return other
    return None


def _place_close(
    rng: np.random.Generator,
    item: SceneObject,
    others: list[SceneObject],
    camera: PinholeCamera,
    options: SceneOptions,
    middle: float,
) -> tuple[float, float] | None:
    """A position close behind or in front of another object, so that one occludes the other."""
    tall = [other for other in others if other.layer and other.lift == 0]
    if not tall or not item.layer or rng.random() > options.occlude * 0.85:
        return None
    other = tall[rng.integers(len(tall))]
    ox, oy = other.place(middle)
    dx, dy = np.array([ox, oy]) - camera.position[:2]
    turn = float(np.arctan2(dy, dx) + rng.normal(0, 0.45) + np.pi * rng.integers(2))
    gap = (other.radius + item.radius) * float(rng.uniform(0.97, 1.12))
    return ox + gap * float(np.cos(turn)), oy + gap * float(np.sin(turn))


def _place_anywhere(rng: np.random.Generator, camera: PinholeCamera) -> tuple[float, float]:
    """A position on the table under a random pixel, so that objects are spread evenly over the image."""
    for _ in range(8):
        pixel = rng.uniform([0.04, 0.04], [0.96, 0.96]) * (2 * camera.centre + 1)
        ray = np.array([*((pixel - camera.centre) / camera.focal), 1.0]) @ camera.axes
        if ray[2] < -0.12:  # well below the horizon
            x, y = camera.ground(pixel[None])[0]
            return float(x), float(y)
    return 0.0, 0.0


def _motion(
    rng: np.random.Generator, item: SceneObject, x: float, y: float, speed: float, middle: float
) -> tuple[Motion, Motion, Motion]:
    """Paths of x, y and yaw: most objects stand, some sway, some slide through the image; about half turn."""
    kind = rng.random() if speed else 1.0
    revolved = rng.random() < 0.5
    yaw = replace(item.yaw, drift=float(rng.normal(0, 0.6)) * speed if revolved else 0.0)
    rate = float(rng.uniform(0.4, 1.2)) * speed
    if kind < 0.25:
        heading = rng.uniform(0, 2 * np.pi)
        pace = float(rng.uniform(3, 12)) * speed
        vx, vy = pace * float(np.cos(heading)), pace * float(np.sin(heading))
        # the start is chosen so that the object passes (x, y) in the middle of the cut
        return Motion(x - vx * middle, vx), Motion(y - vy * middle, vy), yaw
    if kind < 0.5:
        reach = float(rng.uniform(1, 6))
        phase = float(rng.uniform(0, 6.28))
        return Motion(x, 0, reach * float(rng.normal()), rate, phase), Motion(y, 0, reach * float(rng.normal()), rate, phase), yaw
    return Motion(x), Motion(y), yaw


def _collides(item: SceneObject, others: list[SceneObject], times: Float64, tracks: list[Float64]) -> bool:
    """Whether the object overlaps one of ``others`` at one of ``times``; ``tracks`` (n, 2) are their positions then.

    Flat objects may overlap each other and the edge of standing ones.
    """
    own = item.track(times)
    for other, track in zip(others, tracks, strict=True):
        if item.layer == 0 and other.layer == 0:
            continue
        # a little less than the sum of the radii: objects may touch, and flat ones may reach under the edge of others
        need = (item.radius + other.radius) * (0.93 if item.layer and other.layer else 0.6)
        if (np.hypot(*(own - track).T) < need).any():
            return True
    return False
