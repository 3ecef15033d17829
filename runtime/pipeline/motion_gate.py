"""Looking only where something moves: an empty scene costs a comparison of small grey pictures in place of an inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from edgecnn.types import Float32, Image

WIDTH = 240
LEAST_CHANGE = 10.0  # of 255
NOISES = 5.0  # times the noise of the picture
MEMORY_S = 10.0
USUAL_FPS = 30.0
MAD_TO_STD = 1.4826  # standard deviation over median deviation of normal noise


class FrameFilter(Protocol):
    """Decides in the capture thread, frame by frame, whether an inference is worth it."""

    def __call__(self, image: Image) -> bool:
        """Whether to look at this frame; one that is not looked at counts as skipped."""
        ...


class MotionGate:
    """Lets frames through while something moves and ``hold_s`` seconds after, and one every ``look_every_s`` seconds without motion.

    Each frame is compared with a memory of the last 10 seconds rather than with the frame before, so that also what creeps stands
    out in time. ``changed`` is the share of the picture that has to differ, by more than its noise. Seconds are counted in frames
    of ``fps``, 30 where that is unknown. ``skipped`` and ``looked`` count frames.
    """

    def __init__(
        self,
        *,
        hold_s: float = 2.0,
        look_every_s: float = 5.0,
        changed: float = 2e-4,
        fps: Callable[[], float | None] = lambda: None,
    ) -> None:
        if hold_s < 0 or look_every_s <= 0 or not 0 < changed < 1:
            raise ValueError(
                f"hold_s must be at least 0, look_every_s above 0 and changed between 0 and 1, not {hold_s}, {look_every_s} and {changed}"
            )
        self._hold_s, self._look_every_s, self._changed, self._fps = hold_s, look_every_s, changed, fps
        self._memory: Float32 | None = None
        self._size: tuple[int, ...] = ()
        self._still = self._unlooked = 0
        self.skipped = self.looked = 0

    def __call__(self, image: Image) -> bool:
        """Whether to look at this frame."""
        fps = self._fps() or USUAL_FPS
        self._still = 0 if self._moved(image, fps) else self._still + 1
        wanted = self._still <= self._hold_s * fps or self._unlooked + 1 >= self._look_every_s * fps
        self._unlooked = 0 if wanted else self._unlooked + 1
        self.looked += wanted
        self.skipped += not wanted
        return wanted

    def _moved(self, image: Image, fps: float) -> bool:
        """Whether the picture differs from the memory, which then takes a little of it over."""
        small = _small(image)
        if self._memory is None or image.shape != self._size:
            self._memory, self._size = small, image.shape
            return True
        change = small - self._memory
        self._memory += change * np.float32(min(1 / (MEMORY_S * fps), 1.0))
        change -= np.median(change)  # a lamp that brightens the whole picture is no motion
        size = np.abs(change)
        threshold = max(LEAST_CHANGE, NOISES * MAD_TO_STD * float(np.median(size)))
        return bool(np.count_nonzero(size > threshold) >= max(self._changed * size.size, 4))


def _small(image: Image) -> Float32:
    """A grey picture 240 wide whose pixels are averages, which takes most noise away."""
    height, width = image.shape[:2]
    if width > WIDTH:
        image = cv2.resize(image, (WIDTH, max(round(height * WIDTH / width), 1)), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.blur(grey, (3, 3)).astype(np.float32)
