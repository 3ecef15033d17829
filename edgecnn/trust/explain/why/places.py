"""Where something lies in an image or in a box, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecnn.trust.explain.why.covering import Area
from edgecnn.types import Float32

MARGIN = 0.25  # of the sides of a box: the surroundings that belong to its area
WIDE = 0.67  # of a side: what reaches so far is not on one side


def around(box: Float32, content: Area) -> Area:
    """A box (4,) with its surroundings, within the image."""
    left, top, right, bottom = content
    wide, high = (box[2:] - box[:2]) * MARGIN
    return (
        max(int(np.floor(box[0] - wide)), left),
        max(int(np.floor(box[1] - high)), top),
        min(int(np.ceil(box[2] + wide)), right),
        min(int(np.ceil(box[3] + high)), bottom),
    )


def nearest_place(x: float, y: float, area: Area) -> str:
    """The ninth of the area that a point lies in, or that it is next to: "top left", "middle", ..."""
    left, top, right, bottom = area
    column = int(np.clip(3 * (x - left) / max(right - left, 1), 0, 2.99))
    row = int(np.clip(3 * (y - top) / max(bottom - top, 1), 0, 2.99))
    return _name(row, column)


def place_of(mask: NDArray[np.bool_], area: Area) -> str:
    """Where most of the pixels (h, w) lie in the area; "several places" where they reach over most of it without filling it."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return "nowhere"
    left, top, right, bottom = area
    spread = np.ptp(rows) / max(bottom - top, 1), np.ptp(columns) / max(right - left, 1)
    filled = len(rows) / max((np.ptp(rows) + 1) * (np.ptp(columns) + 1), 1)
    if min(spread) > WIDE and filled < 0.5:
        return "several places"
    return nearest_place(float(columns.mean()) + 0.5, float(rows.mean()) + 0.5, area)


def _name(row: int, column: int) -> str:
    high, wide = ("top", "", "bottom")[row], ("left", "", "right")[column]
    return " ".join(filter(None, (high, wide))) or "middle"
