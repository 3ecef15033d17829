"""The name of the colour of each pixel."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.types import Image

# upper ends of hues in OpenCV's half degrees, in the order of the colour circle
HUES = ((10, "red"), (22, "orange"), (35, "yellow"), (85, "green"), (130, "blue"), (165, "purple"), (181, "red"))
COLOURS = ("black", "grey", "white", *dict.fromkeys(name for _, name in HUES))
_GREY, _DARK, _LIGHT = 45, 50, 200  # saturation and value of 0..255
_BY_HUE = np.array([next(COLOURS.index(name) for end, name in HUES if hue < end) for hue in range(181)], np.uint8)


def colour_map(image: Image) -> Image:
    """The colour of each pixel of ``image`` (H, W, 3) uint8 BGR, (H, W) uint8: an index of ``COLOURS``.

    It is black, grey or white where there is little saturation or light, else the hue.
    """
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    grey = (saturation < _GREY) | (value < _DARK)
    found: Image = _BY_HUE[hue]
    found[grey] = COLOURS.index("grey")
    found[grey & (value >= _LIGHT)] = COLOURS.index("white")
    found[value < _DARK] = COLOURS.index("black")
    return found
