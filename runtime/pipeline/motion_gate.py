"""Motion gating: a frame without motion costs a comparison of small grey images instead of an inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from edgecnn.types import Float32, Image

WIDTH = 240
MIN_CHANGE = 10.0  # of 255
NOISE_FACTOR = 5.0  # a pixel has changed when it differs by this many standard deviations of the noise
BACKGROUND_S = 10.0  # time constant of the background average
DEFAULT_FPS = 30.0
MAD_TO_STD = 1.4826  # standard deviation / median absolute deviation, for normal noise


class FrameFilter(Protocol):
    """Decides in the capture thread, frame by frame, whether to run the inference."""

    def __call__(self, image: Image) -> bool:
        """Whether to infer this frame; otherwise it counts as skipped."""
        ...


class MotionGate:
    """Passes frames during motion and ``hold_s`` seconds after it, and one frame every ``refresh_s`` seconds without motion.

    Frames are compared with a running average of the last 10 seconds (the background) instead of the previous frame, so that slow
    motion is detected, too. ``changed`` is the fraction of pixels that must differ by more than the noise. Seconds are counted in
    frames of ``fps``, 30 where that is unknown. ``passed`` and ``skipped`` count frames. Raises ``ValueError`` for values out of range.
    """

    def __init__(
        self,
        *,
        hold_s: float = 2.0,
        refresh_s: float = 5.0,
        changed: float = 2e-4,
        fps: Callable[[], float | None] = lambda: None,
    ) -> None:
        if hold_s < 0 or refresh_s <= 0 or not 0 < changed < 1:
            raise ValueError(
                f"hold_s must be at least 0, refresh_s above 0 and changed between 0 and 1, not {hold_s}, {refresh_s} and {changed}"
            )
        self._hold_s, self._refresh_s, self._changed, self._fps = hold_s, refresh_s, changed, fps
        self._background: Float32 | None = None
        self._size: tuple[int, ...] = ()
        self._still = self._skipped_in_a_row = 0
        self.skipped = self.passed = 0

    def __call__(self, image: Image) -> bool:
        """Whether to infer this frame."""
        fps = self._fps() or DEFAULT_FPS
        self._still = 0 if self._moved(image, fps) else self._still + 1
        passes = self._still <= self._hold_s * fps or self._skipped_in_a_row + 1 >= self._refresh_s * fps
        self._skipped_in_a_row = 0 if passes else self._skipped_in_a_row + 1
        self.passed += passes
        self.skipped += not passes
        return passes

    def _moved(self, image: Image, fps: float) -> bool:
        """Whether the image differs from the background, which is then updated with a small weight."""
        small = _small(image)
        if self._background is None or image.shape != self._size:
            self._background, self._size = small, image.shape
            return True
        change = small - self._background
        self._background += change * np.float32(min(1 / (BACKGROUND_S * fps), 1.0))
        change -= np.median(change)  # a change of the exposure or a lamp brightens the whole image: no motion
        size = np.abs(change)
        threshold = max(MIN_CHANGE, NOISE_FACTOR * MAD_TO_STD * float(np.median(size)))
        return bool(np.count_nonzero(size > threshold) >= max(self._changed * size.size, 4))


def _small(image: Image) -> Float32:
    """A grey image 240 pixels wide; averaging removes most of the noise."""
    height, width = image.shape[:2]
    if width > WIDTH:
        image = cv2.resize(image, (WIDTH, max(round(height * WIDTH / width), 1)), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.blur(grey, (3, 3)).astype(np.float32)
