"""Turns off OpenCV's log; edgecnn reports errors itself, and warnings such as those of a GeoTIFF's private tags concern nobody."""

from __future__ import annotations

import os
from functools import cache


@cache
def silence_opencv_log() -> None:
    """Turn OpenCV's log off for this process, unless OPENCV_LOG_LEVEL asks for it."""
    import cv2  # not before a model has begun to open: it takes as long to load

    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    if hasattr(cv2, "setLogLevel"):  # OpenCV 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
