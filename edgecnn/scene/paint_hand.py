"""Paints a hand that reaches into the image and leaves again."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.scene.camera import Float64
from edgecnn.scene.canvas import BACKGROUND, Canvas
from edgecnn.scene.light import Light

SKINS = ((0.62, 0.72, 0.90), (0.48, 0.60, 0.82), (0.34, 0.46, 0.68), (0.20, 0.30, 0.48), (0.14, 0.20, 0.32))
FINGERS = ((-0.36, 0.78, 0.19), (-0.13, 0.98, 0.21), (0.12, 0.94, 0.21), (0.34, 0.72, 0.18))  # position, length, width


@dataclass(frozen=True, slots=True)
class Hand:
    """A hand: the direction it comes from (radians in the image), target object, timing (phase, rate) and colours."""

    bearing: float
    target: int
    phase: float
    rate: float
    skin: int
    sleeve: tuple[float, float, float]
    spread: float


def sample_hand(rng: np.random.Generator, speed: float) -> Hand:
    """A random hand for one cut."""
    b, g, r = rng.uniform(0.08, 0.85, 3)
    return Hand(
        bearing=float(rng.uniform(0, 2 * np.pi)),
        target=int(rng.integers(100)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        rate=float(rng.uniform(0.5, 1.1)) * speed,
        skin=int(rng.integers(len(SKINS))),
        sleeve=(float(b), float(g), float(r)),
        spread=float(rng.uniform(0.7, 1.15)),
    )


def reach(which: Hand, t: float) -> float:
    """Progress of the hand at ``t`` seconds: 0 outside the image, 1 at its target."""
    return float(np.clip(0.5 + 0.9 * np.sin(which.rate * t + which.phase), 0, 1))


def paint_hand(canvas: Canvas, which: Hand, lamp: Light, target: Float64, per_cm: float, t: float) -> None:
    """Paint the hand over all objects; at full reach its fingertips are at ``target`` (pixels)."""
    share = reach(which, t)
    if share <= 0:
        return
    out = np.array([np.cos(which.bearing), np.sin(which.bearing)])
    side = np.array([-out[1], out[0]])
    palm = 4.6 * per_cm
    far = float(np.hypot(*canvas.ids.shape))
    tips = target + out * (1 - share) * far * 0.7
    wrist = tips + out * palm * 2.7
    lit = lamp.ambient + (1.05 - lamp.ambient) * float(lamp.direction[2])
    skin = np.asarray(SKINS[which.skin]) * 255 * lit
    strokes = _strokes(tips, out, side, palm, which.spread)
    # nested strokes, each narrower and brighter, approximate the shading of round fingers
    for width, level in ((1.0, 0.6), (0.9, 0.76), (0.78, 0.88), (0.62, 0.96), (0.44, 1.02), (0.22, 1.07)):
        for a, b, thick in strokes:
            _stroke(canvas, a, b, thick * width, skin * level, width == 1.0)
    cuff = wrist + out * palm * 0.9
    for width, level in ((1.0, 0.5), (0.9, 0.68), (0.76, 0.82), (0.58, 0.92), (0.36, 1.0)):
        _stroke(canvas, cuff, cuff + out * far, palm * 1.75 * width, np.asarray(which.sleeve) * 255 * lit * level, width == 1.0)


def _strokes(tips: Float64, out: Float64, side: Float64, palm: float, spread: float) -> list[tuple[Float64, Float64, float]]:
    """The lines (from, to, thickness) of a hand: arm, palm, thumb, fingers."""
    knuckles = tips + out * palm
    heel = tips + out * palm * 2.1
    arm = [(heel + out * palm * 0.2, heel + out * palm * 3, palm * 1.05)]
    back = [(knuckles + out * palm * 0.35, heel, palm * 1.25)]
    thumb = [(heel - side * palm * 0.45, knuckles - side * palm * 0.95 * spread + out * palm * 0.1, palm * 0.34)]
    fingers = [
        (
            knuckles + side * palm * at + out * palm * 0.2,
            tips + out * palm * (1 - long) + side * palm * at * 1.25 * spread,
            palm * wide * 1.35,
        )
        for at, long, wide in FINGERS
    ]
    return [*arm, *back, *thumb, *fingers]


def _stroke(canvas: Canvas, a: Float64, b: Float64, thick: float, colour: Float64, hides: bool) -> None:
    ends = [(round(float(np.clip(p[0], -3000, 8000)) * 8), round(float(np.clip(p[1], -3000, 8000)) * 8)) for p in (a, b)]
    width = max(1, round(thick))
    cv2.line(canvas.image, ends[0], ends[1], np.clip(colour, 0, 255).tolist(), width, cv2.LINE_AA, 3)
    if hides:
        cv2.line(canvas.ids, ends[0], ends[1], BACKGROUND, width, cv2.LINE_8, 3)
