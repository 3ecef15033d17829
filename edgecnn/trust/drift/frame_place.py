"""Where a frame of a drift lies among others: near are those that look alike and are as unusual in the same measures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgecnn.reference_profile.measure_range import FARTHEST
from edgecnn.types import Float32

ALIKE = 0.2  # distance below which a frame shows nothing new: two frames of a dark room differ by 0.1 to 0.2
_LITTLE_CONTRAST = 16.0  # below, a picture is mostly noise


def place_of(thumbnail: Float32, contrast: float, positions: Mapping[str, float]) -> Float32:
    """The place (D,) of a frame with this ``thumbnail`` (192,), ``contrast`` and ``positions`` in the reference.

    The thumbnail has a length of 1 whatever it shows, so that of a dark picture counts less: it is mostly noise.
    """
    weight = np.float32(min(contrast / _LITTLE_CONTRAST, 1.0) ** 2)
    unusual = np.asarray([positions[name] for name in sorted(positions)], np.float32) / np.float32(2 * FARTHEST)
    return np.asarray(np.concatenate([thumbnail * weight, unusual]), np.float32)
