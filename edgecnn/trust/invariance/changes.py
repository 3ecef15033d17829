"""Changes of light, colour and visible parts, and compression: each with one number for its strength."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Boxes, Float32, Image

PATCH = 128  # grey level of what covers an object (Zeiler and Fergus 2014 cover with grey, too)


def brightness(image: Image, boxes: Boxes | None, level: float, random: np.random.Generator) -> Image:
    """``level`` is added to the value of HSV, all 0..1: as in ImageNet-C, and darker, too."""
    # V is the largest channel: with hue and saturation kept, all channels grow as it does
    value = cv2.max(cv2.max(image[..., 0], image[..., 1]), image[..., 2])
    levels = np.arange(256, dtype=np.float32)
    factor = cv2.LUT(value, np.clip(levels + 255 * level, 0, 255).astype(np.float32) / np.maximum(levels, 1))
    changed = np.asarray(cv2.multiply(image, cv2.merge([factor, factor, factor]), dtype=cv2.CV_8U), np.uint8)
    changed[value == 0] = to_bytes(np.array([255 * level], np.float32))  # black has no hue and becomes grey
    return changed


def contrast(image: Image, boxes: Boxes | None, factor: float, random: np.random.Generator) -> Image:
    """The distance of each channel from its mean, times ``factor``."""
    mean = np.array(cv2.mean(image)[:3], np.float32)
    levels = np.arange(256, dtype=np.float32)[:, None]
    return np.asarray(cv2.LUT(image, to_bytes((levels - mean) * np.float32(factor) + mean)[None]), np.uint8)


def missing_channel(image: Image, boxes: Boxes | None, level: float, random: np.random.Generator) -> Image:
    """Channel 0, 1 or 2 (blue, green, red) black; 3: no colour, all channels have the luminance."""
    if level == 3:
        return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, 2).astype(np.uint8, copy=False)
    changed: Image = image.copy()
    changed[..., int(level)] = 0
    return changed


def occlusion(image: Image, boxes: Boxes | None, share: float, random: np.random.Generator) -> Image:
    """A grey patch over ``share`` of each object's box, or of the whole image where there are no boxes, at a random place in it."""
    height, width = image.shape[:2]
    areas = np.array([[0, 0, width, height]]) if boxes is None else boxes.xyxy
    changed: Image = image.copy()
    for left, top, right, bottom in areas.tolist():
        x, y = random.random(2)
        wide, high = (right - left) * share**0.5, (bottom - top) * share**0.5
        x0, y0 = left + x * (right - left - wide), top + y * (bottom - top - high)
        changed[max(round(y0), 0) : round(y0 + high), max(round(x0), 0) : round(x0 + wide)] = PATCH
    return changed


def jpeg(image: Image, boxes: Boxes | None, quality: float, random: np.random.Generator) -> Image:
    """Compressed with this quality of libjpeg, 1 to 100, and decoded."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    if not done:
        raise InputError("an image can't be compressed as JPEG", "free some memory")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def to_bytes(image: Float32) -> Image:
    """Grey levels, rounded and clipped to 8 bits."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(image, 0)), np.uint8).reshape(image.shape)
