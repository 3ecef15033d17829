"""Draws the top views of flat objects (papers, phone, books, cutlery, coins): premultiplied BGRA at PER_CM pixels per cm."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edgecnn.scene.appearance import Appearance
from edgecnn.scene.canvas import premultiply
from edgecnn.types import Array, Image

PER_CM = 10
MARGIN = 6
Draw = Callable[[Image, Image, Appearance, np.random.Generator], None]


def decal(kind: str, size: tuple[float, float, float], appearance: Appearance) -> Array:
    """The image (h, w, 4) of ``kind`` with ``size`` in cm and a margin of MARGIN pixels for its soft shadow."""
    width, height = (max(6, round(side * PER_CM)) for side in size[:2])
    rng = np.random.default_rng(appearance.seed)
    colour = np.zeros((height, width, 3), np.uint8)
    colour[:] = _rgb(appearance.outside)
    mask = np.zeros((height, width), np.uint8)
    DRAWN.get(kind, _sheet)(colour, mask, appearance, rng)
    wide = [cv2.copyMakeBorder(part, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=0) for part in (colour, mask)]
    painted = premultiply(wide[0], wide[1])
    # premultiplied black with alpha darkens what is below: outside the object only alpha is set
    shadow = cv2.blur(cv2.blur(wide[1], (MARGIN, MARGIN)), (5, 5)) // 3
    painted[..., 3] = np.maximum(painted[..., 3], shadow)
    return painted


def _rgb(colour: tuple[float, float, float], times: float = 1.0) -> tuple[float, float, float]:
    b, g, r = (min(255.0, 255 * times * part) for part in colour)
    return b, g, r


def _rounded(mask: Image, radius: int) -> None:
    height, width = mask.shape
    r = max(0, min(radius, width // 2 - 1, height // 2 - 1))
    cv2.rectangle(mask, (r, 0), (width - 1 - r, height - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (width - 1, height - 1 - r), 255, -1)
    for x in (r, width - 1 - r):
        for y in (r, height - 1 - r):
            cv2.circle(mask, (x, y), r, 255, -1, cv2.LINE_AA)


def _sheet(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    """A napkin or cloth: folds, a border, perhaps stripes."""
    height, width = mask.shape
    mask[:] = 255
    if appearance.pattern in ("stripes", "bands", "checks"):
        for x in range(0, width, 24):
            cv2.rectangle(colour, (x, 0), (x + 9, height), _rgb(appearance.accent), -1)
    cv2.rectangle(colour, (7, 7), (width - 8, height - 8), _rgb(appearance.accent, 0.9), 3, cv2.LINE_AA)
    ramp = np.ones((height, width), np.float32)
    ramp[:, width // 2 :] *= 0.9
    ramp[height // 2 :] *= 0.95
    ramp += 0.08 * np.sin(np.linspace(0, 9, width, dtype=np.float32) + rng.uniform(0, 6))[None]
    colour[:] = np.clip(colour * ramp[..., None], 0, 255)


def _phone(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height, width = mask.shape
    _rounded(mask, 10)
    colour[:] = 24
    low, high = np.asarray(_rgb(appearance.outside)), np.asarray(_rgb(appearance.accent))
    ramp = np.linspace(0, 1, height - 14)[:, None, None]
    lit = rng.random() < 0.6
    colour[7:-7, 4:-4] = (low * (1 - ramp) + high * ramp) * 0.9 if lit else 14 + 40 * ramp
    if lit:
        for y in range(16, height - 22, 17):
            for x in range(10, width - 16, 15):
                if rng.random() < 0.6:
                    cv2.rectangle(colour, (x, y), (x + 8, y + 8), rng.uniform(60, 255, 3).tolist(), -1)
    cv2.rectangle(colour, (1, 1), (width - 2, height - 2), (70, 70, 72), 1)


def _cover(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    """A book's cover: spine, title, an image."""
    height, width = mask.shape
    mask[:] = 255
    colour[:, : width // 14] = _rgb(appearance.outside, 0.7)
    x0, x1 = width // 6, width - width // 8
    y = height // 8
    for _ in range(int(rng.integers(1, 4))):
        cv2.rectangle(colour, (x0, y), (int(rng.integers(x0 + 20, x1)), y + 8), _rgb(appearance.accent), -1)
        y += 15
    centre, radius = ((x0 + x1) // 2, int(height * 0.62)), int(width * rng.uniform(0.15, 0.32))
    if rng.random() < 0.5:
        cv2.circle(colour, centre, radius, _rgb(appearance.accent, 0.85), -1, cv2.LINE_AA)
    else:
        cv2.rectangle(
            colour,
            (centre[0] - radius, centre[1] - radius),
            (centre[0] + radius, centre[1] + radius),
            _rgb(appearance.accent),
            -1,
        )
    cv2.rectangle(colour, (0, 0), (width - 1, height - 1), _rgb(appearance.outside, 1.15), 2)


def _paper(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    """A sheet or notebook with lines of writing."""
    height, width = mask.shape
    mask[:] = 255
    colour[:] = (236, 242, 244)
    for y in range(18, height - 10, 9):
        cv2.line(colour, (8, y), (width - 8, y), (214, 206, 190), 1)
        x = 14
        while x < width - 30 and rng.random() < 0.85:
            step = int(rng.integers(8, 30))
            cv2.line(colour, (x, y - 2), (x + step, y - 2), (90, 60, 50), 2)
            x += step + 6
    if appearance.seed % 2:
        colour[:8] = _rgb(appearance.accent)


def _card(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height = len(mask)
    _rounded(mask, 5)
    colour[height // 6 : height // 3] = _rgb(appearance.accent, 0.7)
    cv2.rectangle(colour, (8, height // 2), (20, height // 2 + 9), (120, 200, 225), -1)


def _metal(colour: Image) -> None:
    """Brushed steel: bands along the object."""
    width = colour.shape[1]
    band = 150 + 70 * np.sin(np.linspace(-0.6, 4.2, width)) + 25 * np.sin(np.linspace(0, 14, width))
    colour[:] = np.clip(band, 40, 250)[None, :, None]


def _spoon(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height, width = mask.shape
    _metal(colour)
    middle, bowl = width // 2, int(height * 0.16)
    cv2.ellipse(mask, (middle, bowl), (width // 2 - 1, bowl), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(mask, (middle, 2 * bowl - 6), (middle, height - 8), 255, max(3, width // 6), cv2.LINE_AA)
    cv2.ellipse(mask, (middle, height - 18), (width // 6, 17), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(colour, (middle, bowl), (width // 2 - 5, bowl - 5), 0, 0, 360, (112, 116, 118), -1, cv2.LINE_AA)
    cv2.ellipse(colour, (middle + 2, bowl + 7), (width // 3 - 4, bowl // 2), 0, 0, 360, (205, 208, 210), -1, cv2.LINE_AA)


def _fork(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height, width = mask.shape
    _metal(colour)
    middle, palm = width // 2, int(height * 0.27)
    for k in range(4):
        x = 2 + round(k * (width - 5) / 3)
        cv2.line(mask, (x, 3), (x, palm - 8), 255, 3, cv2.LINE_AA)
    cv2.ellipse(mask, (middle, palm - 8), (width // 2 - 1, 14), 0, 0, 180, 255, -1, cv2.LINE_AA)
    cv2.line(mask, (middle, palm), (middle, height - 8), 255, max(4, width // 4), cv2.LINE_AA)
    cv2.ellipse(mask, (middle, height - 20), (width // 4, 19), 0, 0, 360, 255, -1, cv2.LINE_AA)


def _knife(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height, width = mask.shape
    _metal(colour)
    split = int(height * 0.56)
    blade = np.array([[width - 3, 2], [width - 3, split], [4, split], [2, int(height * 0.2)], [width // 2, 4]], np.int32)
    cv2.fillPoly(mask, [blade], 255, cv2.LINE_AA)
    cv2.line(mask, (width // 2, split), (width // 2, height - 8), 255, max(6, width * 2 // 3), cv2.LINE_AA)
    if appearance.seed % 2:
        colour[split:] = _rgb(appearance.outside, 0.7)
        colour[split:, width // 2 : width // 2 + 3] = _rgb(appearance.outside, 1.0)


def _pen(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height, width = mask.shape
    middle = width // 2
    cv2.line(mask, (middle, 14), (middle, height - 5), 255, width - 2, cv2.LINE_AA)
    cv2.line(mask, (middle, 2), (middle, 16), 255, 3, cv2.LINE_AA)
    colour[:16] = (40, 60, 70)
    colour[height * 2 // 3 :] = _rgb(appearance.accent)
    colour[:, middle - 1 : middle + 1] = np.clip(colour[:, middle - 1 : middle + 1].astype(np.int32) + 90, 0, 255)


def _coin(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    height, width = mask.shape
    centre, radius = (width // 2, height // 2), min(height, width) // 2 - 1
    tone = ((90, 160, 190), (170, 172, 174), (60, 105, 160))[appearance.seed % 3]
    cv2.circle(mask, centre, radius, 255, -1, cv2.LINE_AA)
    colour[:] = tone
    cv2.circle(colour, centre, radius - 2, [0.72 * part for part in tone], 1, cv2.LINE_AA)
    cv2.ellipse(colour, centre, (radius // 2, radius * 2 // 3), 20, 0, 360, [1.25 * part for part in tone], -1, cv2.LINE_AA)


def _pad(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    """A square coaster with rings."""
    height, width = mask.shape
    _rounded(mask, 8)
    centre = (width // 2, height // 2)
    for radius in range(width // 2 - 6, 6, -12):
        cv2.circle(colour, centre, radius, _rgb(appearance.accent), 3, cv2.LINE_AA)


def _mat(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    """A round place mat: like a plate, but flat."""
    height, width = mask.shape
    centre, radius = (width // 2, height // 2), min(height, width) // 2 - 1
    cv2.circle(mask, centre, radius, 255, -1, cv2.LINE_AA)
    gap = int(rng.integers(5, 26))
    for k, ring in enumerate(range(radius, 4, -gap)):
        cv2.circle(colour, centre, ring, _rgb(appearance.accent if k % 2 else appearance.outside, 0.94), -1, cv2.LINE_AA)


def _label(colour: Image, mask: Image, appearance: Appearance, rng: np.random.Generator) -> None:
    """The top of a box: a flap and a label."""
    height, width = mask.shape
    mask[:] = 255
    cv2.line(colour, (width // 2, 0), (width // 2, height), _rgb(appearance.outside, 0.75), 2)
    cv2.rectangle(colour, (width // 5, height // 3), (width * 3 // 5, height * 2 // 3), _rgb(appearance.accent), -1)
    for y in range(height // 3 + 8, height * 2 // 3 - 4, 8):
        cv2.line(colour, (width // 5 + 5, y), (width // 2, y), _rgb(appearance.accent, 0.6), 2)


DRAWN: dict[str, Draw] = {
    "napkin": _sheet,
    "phone": _phone,
    "book": _cover,
    "notebook": _paper,
    "paper": _paper,
    "card": _card,
    "spoon": _spoon,
    "fork": _fork,
    "knife": _knife,
    "pen": _pen,
    "coin": _coin,
    "pad": _pad,
    "mat": _mat,
    "box": _label,
    "carton": _label,
}
