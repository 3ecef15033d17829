"""Compares the direction in which a track moves with the way to each box (after OC-SORT, Cao et al. 2023, arXiv:2203.14360).

OC-SORT compares angles whatever their lengths. The direction of somebody who stands is noise, so here short ways and slow tracks
count less.
"""

from __future__ import annotations

import numpy as np

from edgecnn.runtime.tracking.kalman import Float64
from edgecnn.types import Float32

# In heights of the box: a way or a speed of this length counts half.
SHORT_WAY = 0.05
SLOW = 0.1  # per second
TINY = 1e-6  # pixels squared per second, against a division by 0


def centres(xyxy: Float32) -> Float64:
    """Return the centres (n, 2) of boxes (n, 4)."""
    return (xyxy[:, :2].astype(np.float64) + xyxy[:, 2:]) / 2


def agreement(velocity: Float64, height: Float64, last: Float64, boxes: Float64) -> Float64:
    """Return how well ``velocity`` (n, 2) fits the way from ``last`` (n, 2) to ``boxes`` (m, 2), centres in pixels: (n, m).

    It is the cosine of the angle between them, between -1 and 1, times w / (w + SHORT_WAY) and v / (v + SLOW) for a way of w
    and a speed of v heights; ``height`` (n,) is in pixels.
    """
    way = boxes[None] - last[:, None]
    length, speed = np.sqrt(np.square(way).sum(2)), np.sqrt(np.square(velocity).sum(1))
    along = way[..., 0] * velocity[:, :1] + way[..., 1] * velocity[:, 1:]
    fit: Float64 = along / ((length + SHORT_WAY * height[:, None]) * (speed + SLOW * height)[:, None] + TINY)
    return fit
