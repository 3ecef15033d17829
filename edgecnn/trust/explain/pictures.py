"""Filters, maps and patches as small pictures in a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.trust.inside.graph import FloatArray
from edgecnn.types import Image

QUALITY = 85
LITTLE = 0.15  # of the highest value


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """A data URI, its size on the page in pixels, a title under it, and further words."""

    uri: str
    width: int
    height: int
    title: str = ""
    words: str = ""


def picture(
    image: Image, width: int, title: str = "", words: str = "", *, sharp: bool = False, lossless: bool = False
) -> SmallPicture:
    """An image (H, W, 3 or 1) uint8 BGR, ``width`` pixels wide on the page; ``sharp`` shows its pixels as squares."""
    height = max(round(width * image.shape[0] / image.shape[1]), 1)
    if sharp:
        factor = max(width // image.shape[1], 1)
        image = np.repeat(np.repeat(image, factor, 0), factor, 1)
    elif image.shape[1] > 2 * width:  # twice as many pixels as on the page: screens and printers have them
        image = np.asarray(cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_AREA), np.uint8)
    kind, options = (".png", []) if lossless or sharp else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    data = cv2.imencode(kind, image, options)[1].tobytes()
    uri = f"data:image/{'png' if kind == '.png' else 'jpeg'};base64,{base64.b64encode(data).decode('ascii')}"
    return SmallPicture(uri, width, height, title, words)


def filter_image(learnt: FloatArray) -> Image:
    """A filter (colours, height, width) as BGR pixels: middle grey is 0, the largest weight reaches black or white.

    Filters over more than three channels are shown by the mean over them.
    """
    shown = learnt if len(learnt) == 3 else learnt.mean(0, keepdims=True)
    top = float(np.abs(shown).max()) or 1.0
    pixels = np.rint(127.5 + 127.5 * shown / top).astype(np.uint8)
    return np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))


def map_image(values: FloatArray, *, signed: bool | None = None) -> Image:
    """A map (height, width) in grey. Without negative values that count 0 is black, else middle grey; the strongest values are white."""
    top = float(np.percentile(np.abs(values), 99.5)) or float(np.abs(values).max()) or 1.0
    # SiLU and its like are a little below zero
    has_sign = float(values.min()) < -LITTLE * top if signed is None else signed
    share = 0.5 + values / (2 * top) if has_sign else values / top
    return np.asarray(np.rint(255 * np.clip(share, 0, 1)), np.uint8)[..., None]


def patch_image(image: Image, box: tuple[int, int, int, int], longest: int) -> Image:
    """The part ``box`` (left, top, right, bottom) of an image; what is outside of the image is light grey."""
    height, width = image.shape[:2]
    left, top, right, bottom = box
    # a field that is larger than the image shows the whole image, not much grey
    left, right = (0, width) if right - left >= width else (left, right)
    top, bottom = (0, height) if bottom - top >= height else (top, bottom)
    found = np.full((bottom - top, right - left, 3), 220, np.uint8)
    y0, y1, x0, x1 = max(top, 0), min(bottom, height), max(left, 0), min(right, width)
    if y1 > y0 and x1 > x0:
        found[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    side = max(found.shape[:2])
    if side > longest:
        size = max(round(found.shape[1] * longest / side), 1), max(round(found.shape[0] * longest / side), 1)
        found = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_AREA), np.uint8)
    return found
