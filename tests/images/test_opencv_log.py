"""OpenCV's own log stays off the terminal."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.images.opencv_log import silence_opencv_log
from edgecnn.images.reader import decode_image


def test_a_tag_that_opencv_does_not_know_is_no_message(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENCV_LOG_LEVEL", raising=False)
    silence_opencv_log.cache_clear()
    tiff = bytearray(cv2.imencode(".tif", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    # the last entry of the directory becomes one of GeoTIFF: ModelPixelScaleTag, 33550
    at = int.from_bytes(tiff[4:8], "little")
    last = at + 2 + 12 * (int.from_bytes(tiff[at : at + 2], "little") - 1)
    tiff[last : last + 2] = (33550).to_bytes(2, "little")
    assert decode_image(bytes(tiff)).shape == (8, 8, 3)
    assert capfd.readouterr().err == ""
