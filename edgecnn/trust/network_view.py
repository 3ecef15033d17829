"""An image as a network sees it: resized by the rule of its card, in colours that people see."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgecnn.card import Preprocess
from edgecnn.preprocess import Geometry, resize_into
from edgecnn.types import Image

Content = tuple[int, int, int, int]


def network_view(image: Image, preprocess: Preprocess) -> tuple[Image, Geometry, Content]:
    """``image`` (H, W, 3) uint8 BGR in the size of the network's input, how it came there, and the part of it that shows the image.

    That part is (left, top, right, bottom), without the padding of a letterbox. Such an image passes the model's own resizing unchanged.
    """
    shown = np.empty((*preprocess.size, 3), np.uint8)
    place = resize_into(image, dataclasses.replace(preprocess, color="bgr", mean=(0.0,), std=(1.0,)), shown)
    height, width = preprocess.size
    left, top = max(round(place.offset_x), 0), max(round(place.offset_y), 0)
    right = min(round(place.offset_x + place.width * place.scale_x), width)
    bottom = min(round(place.offset_y + place.height * place.scale_y), height)
    return shown, place, (left, top, right, bottom)
