"""Images of a stream that are needed again, packed: reading them twice may be slow, as from a video or a rendered scene."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edgecnn.types import Image

QUALITY = 95
SLACK = 256  # images that are kept besides those that are needed, so that it is not looked for each time


class KeptImages:
    """``needed`` gives the numbers of the images that are needed still; the others are forgotten now and then."""

    def __init__(self, needed: Callable[[], set[int]]) -> None:
        self._needed, self._packed = needed, dict[int, bytes]()
        self._most = SLACK

    def add(self, index: int, image: Image) -> None:
        """Keep image ``index``, (h, w, 3) uint8 BGR, as JPEG."""
        self._packed[index] = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        if len(self._packed) > self._most:
            needed = self._needed()
            self._packed = {number: data for number, data in self._packed.items() if number in needed}
            self._most = len(self._packed) + SLACK

    def __getitem__(self, index: int) -> Image:
        return np.asarray(cv2.imdecode(np.frombuffer(self._packed[index], np.uint8), cv2.IMREAD_COLOR), np.uint8)
