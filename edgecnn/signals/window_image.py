"""A window of a signal as the image that a model of the task ``signal`` takes: one row for each channel, one pixel for each sample."""

from __future__ import annotations

import numpy as np

from edgecnn.types import Float32, Image

DEVIATION = 24  # grey levels of a standard deviation: values beyond 5.3 deviations are clipped
MIDDLE = 128


def to_image(window: Float32) -> Image:
    """A window (N, C) as a grey image (C, N, 3) uint8: each channel minus its mean, divided by its standard deviation.

    So the level of a sensor and its offset do not matter. A constant channel is grey 128.
    """
    values = window.astype(np.float64)
    values = values - values.mean(0)
    deviation = values.std(0)
    scaled = values / np.where(deviation > 0, deviation, 1) * DEVIATION + MIDDLE
    rows = np.clip(np.rint(scaled), 0, 255).astype(np.uint8).T
    return np.ascontiguousarray(rows[..., None].repeat(3, 2))
