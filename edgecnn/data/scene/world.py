"""What stands on the table during one cut, and how it moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgecnn.data.scene.camera import Camera, Path, Real, Rig, camera, rig
from edgecnn.data.scene.light import Light, light
from edgecnn.data.scene.looks import Look, look
from edgecnn.data.scene.options import LABELS, SceneOptions
from edgecnn.data.scene.profiles import SOLIDS, Profile, profile
from edgecnn.data.scene.table import Ground, ground

FLAT_KINDS: dict[str, tuple[float, float, float]] = {
    "napkin": (15, 15, 0.3), "phone": (7.2, 14.8, 0.8), "book": (14, 20, 2.2), "notebook": (13, 18, 0.6), "spoon": (3.6, 17, 0.5),
    "fork": (2.6, 18, 0.5), "knife": (2.2, 20, 0.4), "pen": (1.0, 14, 0.7), "coin": (2.4, 2.4, 0.2), "box": (9, 12, 7.0),
    "carton": (7, 7, 15.0), "card": (8.6, 5.4, 0.1), "pad": (9.4, 9.4, 0.5),
}  # fmt: skip
TURNED = (*LABELS, *SOLIDS)
MAX_IDENTITIES = 128


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One thing on the table: its kind, label (an index, or -1), place and turn over time, shape or (width, depth, height), look.

    ``after`` lists nothing that the painter needs but the order of things on top of one another: a higher ``layer`` is later.
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

    def place(self, t: float) -> tuple[float, float]:
        """Where its foot's centre is at ``t`` seconds, in cm."""
        return self.x.at(t), self.y.at(t)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One cut: its number, camera, light, table and things."""

    number: int
    seed: int
    rig: Rig
    light: Light
    ground: Ground
    things: tuple[Thing, ...]
    hand: tuple[float, float, float, float] | None
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
        placed = _settle(rng, thing, things, eye, options, middle)
        if placed is not None:
            things.append(placed)
    hand = None
    if rng.random() < 0.15 + 0.35 * options.occlude and options.occlude > 0:
        hand = tuple(float(v) for v in rng.uniform([0, 0.2, 0.6, 0], [2 * np.pi, 0.6, 1.6, 1]))
    return World(number, options.seed, way, lamp, table, tuple(things), hand, middle)  # type: ignore[arg-type]


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
    rng: np.random.Generator, thing: Thing, others: list[Thing], eye: Camera, options: SceneOptions, middle: float
) -> Thing | None:
    """The thing with a place and a motion at which it runs into nothing; None where there is no room."""
    times = middle * np.array([0, 0.5, 1, 1.5, 2])
    for attempt in range(14):
        x, y, lift, layer = _spot(rng, thing, others, eye, options, middle)
        moves = _motion(rng, thing, x, y, options.speed if attempt < 8 else 0.0, middle)
        candidate = replace(thing, x=moves[0], y=moves[1], yaw=moves[2], lift=lift, layer=layer)
        if lift or not _collides(candidate, others, times):
            return candidate
    return None


def _spot(
    rng: np.random.Generator, thing: Thing, others: list[Thing], eye: Camera, options: SceneOptions, middle: float
) -> tuple[float, float, float, int]:
    """(x, y, lift, layer): anywhere in the picture, or close behind or before another thing as the camera sees it."""
    tall = [other for other in others if other.layer and other.lift == 0]
    if tall and thing.layer and rng.random() < options.occlude * 0.85:
        other = tall[rng.integers(len(tall))]
        ox, oy = other.place(middle)
        if other.kind == "plate" and thing.kind in ("mug", "bowl", "glass") and other.radius > thing.shape.radius * 1.25:  # type: ignore[union-attr]
            if not any(o.lift and np.hypot(o.x.at(middle) - ox, o.y.at(middle) - oy) < other.radius for o in others):
                return ox, oy, 0.5, 2
        away = np.array([ox, oy]) - eye.position[:2]
        away /= np.hypot(*away)
        gap = (other.radius + thing.radius) * rng.uniform(1.0, 1.15) * rng.choice([-1, 1])
        turn = rng.normal(0, 0.45)
        c, s = np.cos(turn), np.sin(turn)
        return float(ox + gap * (c * away[0] - s * away[1])), float(oy + gap * (s * away[0] + c * away[1])), 0.0, thing.layer
    width, height = 2 * eye.centre + 1
    horizon = eye.axes[:, 2] @ np.array([0, 0, 1.0])
    del horizon
    for _ in range(8):
        pixel = rng.uniform([0.04, 0.04], [0.96, 0.96]) * (width, height)
        ray = np.array([*((pixel - eye.centre) / eye.focal), 1.0]) @ eye.axes
        if ray[2] < -0.12:
            break
    else:
        return 0.0, 0.0, 0.0, thing.layer
    x, y = eye.ground(pixel[None])[0]
    return float(x), float(y), 0.0, thing.layer


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


def _collides(thing: Thing, others: list[Thing], times: Real) -> bool:
    for other in others:
        if thing.layer == 0 and other.layer == 0:
            continue
        need = (thing.radius + other.radius) * (0.93 if thing.layer and other.layer else 0.6)
        for t in times:
            if np.hypot(thing.x.at(t) - other.x.at(t), thing.y.at(t) - other.y.at(t)) < need:
                return True
    return False
