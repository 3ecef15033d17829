"""Shows the annotated frames in a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import cv2

from edgecnn.errors import InputError, MissingExtraError
from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.types import Image, Result
from edgecnn.videos.opencv_logging import native_stderr_silenced

_QUIT_KEYS = (ord("q"), 27)


class WindowSink:
    """Shows each annotated frame; q, Escape or closing the window calls ``on_quit``. Use it in the main thread.

    Raises ``MissingExtraError`` if OpenCV was built without windows, and ``InputError`` without a display.
    """

    def __init__(self, title: str, painter: ResultPainter, on_quit: Callable[[], None]) -> None:
        check_window()
        self._title, self._painter, self._on_quit = title, painter, on_quit
        self._open = False

    def write(self, result: Result) -> None:
        """Show one frame and process keys."""
        image = self._painter.paint(result)
        if not self._open:
            with native_stderr_silenced():  # Qt misses fonts that are not needed
                self._begin(image)
        cv2.imshow(self._title, image)
        # waitKey also processes the events of the window; the upper bits hold modifier keys in some builds.
        key = cv2.waitKey(1) & 0xFF
        if key in _QUIT_KEYS or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._on_quit()

    def _begin(self, image: Image) -> None:
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
        # The window becomes visible only after it has processed events; until then it looks closed to `write`.
        cv2.imshow(self._title, image)
        cv2.waitKey(1)
        self._open = True

    def close(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            cv2.destroyWindow(self._title)


def check_window() -> None:
    """Raise ``MissingExtraError`` or ``InputError`` if no window can be shown.

    Checked first, because OpenCV with Qt ends the whole process if there is no display.
    """
    gui = next((line.split(":")[1] for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")), "NONE")
    if gui.strip() == "NONE":
        raise MissingExtraError("opencv-python", "window")
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError("--show: there is no display (DISPLAY is not set)", "run it on a desktop, or write a video with --out")
