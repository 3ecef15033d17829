"""Whether a camera sends the same picture again and again."""

from __future__ import annotations

import zlib

import numpy as np

from edgecnn.types import Image

_LOOKS = 8  # in the time after which a picture counts as frozen
_LONGEST_BETWEEN_S = 1.0


class FrozenDetector:
    """Compares pictures bit for bit, about once a second: the noise of a sensor never repeats, a picture that is sent again does.

    ``after`` is how many seconds the same picture must last to count as frozen; None never looks.
    """

    def __init__(self, after: float | None) -> None:
        self._after = after
        self._every = 0.0 if after is None else min(after / _LOOKS, _LONGEST_BETWEEN_S)
        self._looked_at = -1e9
        self._since: float | None = None
        self._sum = -1
        self.frozen = False

    def look(self, image: Image, now: float) -> bool:
        """Whether the picture (H, W, 3) at ``now`` seconds belongs to a frozen stretch."""
        if self._after is not None and now - self._looked_at >= self._every:
            self._looked_at = now
            found = zlib.crc32(np.ascontiguousarray(image).data)
            if found != self._sum or self._since is None:
                self._sum, self._since = found, now
            self.frozen = now - self._since >= self._after
        return self.frozen
