"""What stands on the table during one cut, and how it moves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgecnn.scene.appearance import Look, look
from edgecnn.scene.camera import Camera, Path, Real, Rig, camera, rig
from edgecnn.scene.light import Light, light
from edgecnn.scene.options import LABELS, SceneOptions
from edgecnn.scene.paint_hand import Hand, hand
from edgecnn.scene.profiles import SOLIDS, Profile, profile
from edgecnn.scene.table import Ground, ground

FLAT_KINDS: dict[str, tuple[float, float, float]] = {
    "napkin": (15, 15, 0.3), "phone": (7.2, 14.8, 0.8), "book": (14, 20, 2.2), "notebook": (13, 18, 0.6), "spoon": (3.6, 17, 0.5),
    "fork": (2.6, 18, 0.5), "knife": (2.2, 20, 0.4), "pen": (1.0, 14, 0.7), "coin": (2.4, 2.4, 0.2), "box": (9, 12, 7.0),
    "carton": (7, 7, 15.0), "card": (8.6, 5.4, 0.1), "pad": (9.4, 9.4, 0.5), "mat": (27, 27, 0.2), "paper": (21, 29, 0.1),
}  # fmt: skip
TURNED = (*LABELS, *SOLIDS)
MAX_IDENTITIES = 128


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One thing on the table: its kind, label (an index, or -1), place and turn over time, shape or (width, depth, height), look.

    ``lift`` is the height of what it stands on; layer 0 lies flat on the table and is painted first.
    """

    number: int
    kind: str
    label: int
    x: Path
    y: Path
    yaw: Path
    lift: float
    layer: int
    shape: Profile | None
    size: tuple[float, float, float]
    look: Look
    handle: bool

    @property
    def radius(self) -> float:
        """Radius of the circle that it needs on the table, in cm."""
        return self.shape.radius if self.shape is not None else 0.45 * max(self.size[:2])

    @property
    def height(self) -> float:
        """Height in cm."""
        return self.shape.height if self.shape is not None else self.size[2]

    def falls(self, edge: float, times: Real) -> bool:
        """Whether it is beyond the table's far edge at one of ``times``."""
        return bool(self.track(times)[:, 1].max() + self.radius > edge)

    def track(self, times: Real) -> Real:
        """(n, 2): the places at ``times``."""
        return np.column_stack([self.x.over(times), self.y.over(times)])

    def place(self, t: float) -> tuple[float, float]:
        """Where its foot's centre is at ``t`` seconds, in cm."""
        return self.x.at(t), self.y.at(t)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One cut: its number, camera, light, table and things."""

    number: int
    rig: Rig
    light: Light
    ground: Ground
    things: tuple[Thing, ...]
    hand: Hand | None
    middle: float


def build(options: SceneOptions, number: int) -> World:
    """The cut of that number; depends on the options, the seed and the number alone."""
    rng = np.random.default_rng([options.seed, number])
    way, lamp, table = rig(options, rng), light(options, rng), ground(rng)
    middle = min(options.cut, 60.0) / 2
    eye = camera(way, middle, options.size)
    things: list[Thing] = []
    for kind, label in _cast(options, rng):
        thing = _thing(rng, len(things), kind, label)
        placed = _settle(rng, thing, things, eye, options, table, middle)
        if placed is not None:
            things.append(placed)
    reaches = rng.random() < (0.1 + 0.3 * options.occlude if options.occlude else 0)
    return World(number, way, lamp, table, tuple(things), hand(rng, options.speed) if reaches else None, middle)


def _cast(options: SceneOptions, rng: np.random.Generator) -> Iterator[tuple[str, int]]:
    """Kinds and labels: large things first, so that the small ones find room."""
    labelled = rng.integers(len(LABELS), size=_number(options.objects, rng))
    names = (*FLAT_KINDS, *SOLIDS, "can", "tin", "coaster", "lid")
    clutter = rng.integers(len(names), size=_number(options.clutter, rng))
    yield from ((LABELS[k], int(k)) for k in sorted(labelled, reverse=True))
    yield from ((names[k], -1) for k in clutter)


def _number(mean: int, rng: np.random.Generator) -> int:
    return int(rng.integers((mean + 1) // 2, mean + mean // 2 + 1)) if mean else 0


def _thing(rng: np.random.Generator, number: int, kind: str, label: int) -> Thing:
    fill = float(rng.uniform(0.35, 0.9)) if kind in ("mug", "glass", "bowl") and rng.random() < 0.5 else None
    shape = None
    size = FLAT_KINDS.get(kind, (0.0, 0.0, 0.0))
    grow, tall = float(rng.uniform(0.82, 1.18)), float(rng.uniform(0.85, 1.15))
    if kind in TURNED:
        base = profile(kind, int(rng.integers(32)), fill)
        shape = replace(base, r=base.r * np.float32(grow), h=base.h * np.float32(grow * tall))
    size = (size[0] * grow, size[1] * grow, size[2] * tall)
    return Thing(
        number=number,
        kind=kind,
        label=label,
        x=Path(0),
        y=Path(0),
        yaw=Path(float(rng.uniform(0, 2 * np.pi))),
        lift=0.0,
        layer=1 if kind in TURNED or size[2] > 3 else 0,
        shape=shape,
        size=size,
        look=look(rng, kind),
        handle=kind == "mug" and rng.random() < 0.9,
    )


def _settle(
    rng: np.random.Generator, thing: Thing, others: list[Thing], eye: Camera, options: SceneOptions, table: Ground, middle: float
) -> Thing | None:
    """The thing with a place and a motion at which it runs into nothing; None where there is no room."""
    times = middle * np.array([0, 0.5, 1, 1.5, 2])
    for attempt in range(14):
        saucer = _saucer(rng, thing, others, options, middle)
        if saucer is not None:
            return replace(thing, x=saucer.x, y=saucer.y, lift=0.5, layer=2, yaw=replace(thing.yaw, drift=saucer.yaw.drift))
        x, y = _beside(rng, thing, others, eye, options, middle) or _anywhere(rng, eye)
        moves = _motion(rng, thing, x, y, options.speed if attempt < 8 else 0.0, middle)
        candidate = replace(thing, x=moves[0], y=moves[1], yaw=moves[2])
        if candidate.falls(table.edge, times) or collides(candidate, others, times):
            continue
        return candidate
    return None


def _saucer(rng: np.random.Generator, thing: Thing, others: list[Thing], options: SceneOptions, middle: float) -> Thing | None:
    """A plate that the thing may stand on."""
    if thing.kind not in ("mug", "bowl", "glass") or rng.random() > 0.12 + 0.1 * options.occlude or not options.occlude:
        return None
    for other in others:
        taken = any(o.lift and math.dist(o.place(middle), other.place(middle)) < 1 for o in others)
        if other.kind == "plate" and other.radius > thing.radius * 1.3 and not taken:
            return other
    return None


def _beside(
    rng: np.random.Generator, thing: Thing, others: list[Thing], eye: Camera, options: SceneOptions, middle: float
) -> tuple[float, float] | None:
    """A place close behind or before another thing, as the camera sees it."""
    tall = [other for other in others if other.layer and other.lift == 0]
    if not tall or not thing.layer or rng.random() > options.occlude * 0.85:
        return None
    other = tall[rng.integers(len(tall))]
    ox, oy = other.place(middle)
    dx, dy = np.array([ox, oy]) - eye.position[:2]
    turn = float(np.arctan2(dy, dx) + rng.normal(0, 0.45) + np.pi * rng.integers(2))
    gap = (other.radius + thing.radius) * float(rng.uniform(0.97, 1.12))
    return ox + gap * float(np.cos(turn)), oy + gap * float(np.sin(turn))


def _anywhere(rng: np.random.Generator, eye: Camera) -> tuple[float, float]:
    """A place on the table under a pixel, so that things spread evenly over the picture."""
    for _ in range(8):
        pixel = rng.uniform([0.04, 0.04], [0.96, 0.96]) * (2 * eye.centre + 1)
        ray = np.array([*((pixel - eye.centre) / eye.focal), 1.0]) @ eye.axes
        if ray[2] < -0.12:
            x, y = eye.ground(pixel[None])[0]
            return float(x), float(y)
    return 0.0, 0.0


def _motion(rng: np.random.Generator, thing: Thing, x: float, y: float, speed: float, middle: float) -> tuple[Path, Path, Path]:
    """Paths of x, y and yaw: most things stand, some sway, some slide through the picture; about half turn."""
    kind = rng.random() if speed else 1.0
    turning = rng.random() < 0.5
    yaw = replace(thing.yaw, drift=float(rng.normal(0, 0.6)) * speed if turning else 0.0)
    rate = float(rng.uniform(0.4, 1.2)) * speed
    if kind < 0.25:
        heading = rng.uniform(0, 2 * np.pi)
        pace = float(rng.uniform(3, 12)) * speed
        vx, vy = pace * float(np.cos(heading)), pace * float(np.sin(heading))
        return Path(x - vx * middle, vx), Path(y - vy * middle, vy), yaw
    if kind < 0.5:
        reach = float(rng.uniform(1, 6))
        phase = float(rng.uniform(0, 6.28))
        return Path(x, 0, reach * float(rng.normal()), rate, phase), Path(y, 0, reach * float(rng.normal()), rate, phase), yaw
    return Path(x), Path(y), yaw


def collides(thing: Thing, others: list[Thing], times: Real) -> bool:
    """Whether the thing stands in another at one of ``times``; flat things may lie on one another and touch what stands."""
    own = thing.track(times)
    for other in others:
        if thing.layer == 0 and other.layer == 0:
            continue
        need = (thing.radius + other.radius) * (0.93 if thing.layer and other.layer else 0.6)
        if (np.hypot(*(own - other.track(times)).T) < need).any():
            return True
    return False
