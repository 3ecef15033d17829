"""Moves masks and key points between the pixels of a source image and those of a model's input."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.preprocess import Geometry
from edgecnn.types import NO_CLASS, Detections, Float32, Image, Poses


def mask_to_input(mask: Image, place: Geometry, size: tuple[int, int]) -> Image:
    """A mask (H, W) uint8 of the source in the pixels of an input of ``size`` (height, width); NO_CLASS beside the image."""
    width, height = _placed(place)
    # nearest by pixel centres: INTER_NEAREST takes the upper left pixel, which shifts the mask by half of one
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    out = np.full(size, NO_CLASS, np.uint8)
    left, top, right, bottom = _shown(place, size)
    x, y = int(place.offset_x), int(place.offset_y)
    out[top:bottom, left:right] = small[top - y : bottom - y, left - x : right - x]
    return out


def mask_to_source(mask: Image, place: Geometry) -> Image:
    """A mask of the input in the pixels of the source; NO_CLASS where the input does not show the source."""
    out = np.full((place.height, place.width), NO_CLASS, np.uint8)
    left, top, right, bottom = _shown(place, (mask.shape[0], mask.shape[1]))
    x0, x1 = (round((edge - place.offset_x) / place.scale_x) for edge in (left, right))
    y0, y1 = (round((edge - place.offset_y) / place.scale_y) for edge in (top, bottom))
    out[y0:y1, x0:x1] = _resized(mask[top:bottom, left:right], (x1 - x0, y1 - y0))
    return out


def points_to_input(points: Float32, place: Geometry) -> Float32:
    """Points (n, K, 3) in pixels of the input; the third column stays as it is."""
    moved: Float32 = points.copy()
    moved[..., 0] = points[..., 0] * place.scale_x + place.offset_x
    moved[..., 1] = points[..., 1] * place.scale_y + place.offset_y
    return moved


def poses_to_source(poses: Poses, place: Geometry) -> Poses:
    """Points and boxes in pixels of the source."""
    points = poses.points.copy()
    # not clipped: a point outside the image is a statement about the object, unlike a box that must be drawn
    points[..., 0] = (points[..., 0] - place.offset_x) / place.scale_x
    points[..., 1] = (points[..., 1] - place.offset_y) / place.scale_y
    boxes = place.to_source(Detections(poses.xyxy, poses.score, np.zeros(len(poses), np.int64)))
    return Poses(points, poses.score, boxes.xyxy, poses.skeleton)


def _placed(place: Geometry) -> tuple[int, int]:
    """Width and height of the whole source image in pixels of the input."""
    return max(round(place.width * place.scale_x), 1), max(round(place.height * place.scale_y), 1)


def _shown(place: Geometry, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of an input of ``size`` that shows the source."""
    width, height = _placed(place)
    x, y = int(place.offset_x), int(place.offset_y)
    return max(x, 0), max(y, 0), min(x + width, size[1]), min(y + height, size[0])


def _resized(mask: Image, size: tuple[int, int]) -> Image:
    """The mask at ``size`` (width, height) with smooth borders: at each pixel the class of the largest interpolated share."""
    if (mask.shape[1], mask.shape[0]) == size:
        return mask
    best = np.zeros(size[::-1], np.uint8)
    out = np.full(size[::-1], NO_CLASS, np.uint8)
    for class_id in np.unique(mask):
        share = cv2.resize((mask == class_id).view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_LINEAR)
        more = share > best
        out[more] = class_id
        np.maximum(best, share, out=best)
    return out
