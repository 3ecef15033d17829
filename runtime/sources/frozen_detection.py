"""Detection of a frozen camera, which repeats the same image."""

from __future__ import annotations

import zlib

import numpy as np

from edgecnn.types import Image

_CHECKS = 8  # within ``after_s``
_MAX_INTERVAL_S = 1.0


class FrozenDetector:
    """Compares images bit by bit, about once a second: sensor noise never repeats, an image that is sent again does.

    ``after_s`` is how many seconds an image must stay the same to count as frozen; None disables the check.
    """

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self._interval_s = 0.0 if after_s is None else min(after_s / _CHECKS, _MAX_INTERVAL_S)
        self._checked_at = -1e9
        self._since: float | None = None
        self._checksum = -1
        self.frozen = False

    def update(self, image: Image, now: float) -> bool:
        """Whether the camera is frozen, by its image (H, W, 3) at time ``now`` in seconds."""
        if self._after_s is not None and now - self._checked_at >= self._interval_s:
            self._checked_at = now
            checksum = zlib.crc32(np.ascontiguousarray(image).data)  # a copy of the image would cost memory per camera
            if checksum != self._checksum or self._since is None:
                self._checksum, self._since = checksum, now
            self.frozen = now - self._since >= self._after_s
        return self.frozen
