"""Draws boxes with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edgecnn.labels import label_of
from edgecnn.rotated import corners as rotated_corners
from edgecnn.runtime.draw.captions import BLACK, class_color, draw_caption, place_captions
from edgecnn.types import Array, Detections, Image


def draw_boxes(canvas: Image, found: Detections, labels: Sequence[str] | None, factor: int) -> Image:
    """Draw boxes, rotated ones as such, and captions where there are ``labels``."""
    line = max(round(min(canvas.shape[:2]) / 240), 1)
    # Lowest score first, so that the best box is drawn last and stays visible.
    order = np.argsort(found.score, kind="stable")
    limit = np.array([canvas.shape[1], canvas.shape[0]] * 2) - 1
    corners = np.clip(np.rint(found.xyxy * factor), 0, limit).astype(int).tolist()
    shapes = _shapes(found, limit, factor)
    for index in order:
        around = shapes[index]
        cv2.polylines(canvas, [around], True, BLACK, line + 2, cv2.LINE_AA)
        cv2.polylines(canvas, [around], True, class_color(int(found.class_id[index])), line, cv2.LINE_AA)
    if labels is None:
        return canvas
    captions = [_caption(found, index, labels) for index in range(len(found))]
    places = place_captions(canvas, captions, corners)
    for index in order:
        left, top = places[index]
        draw_caption(canvas, captions[index], left, top, class_color(int(found.class_id[index])))
    return canvas


def _caption(found: Detections, index: int, labels: Sequence[str]) -> str:
    track = "" if found.track_id is None else f" #{found.track_id[index]}"
    # ground truth has no score: NaN
    score = "" if math.isnan(found.score[index]) else f" {found.score[index]:.2f}"
    return f"{label_of(labels, int(found.class_id[index]))}{track}{score}"


def _shapes(found: Detections, limit: Array, factor: int) -> Array:
    """The corners (n, 4, 2) int32 of each box in pixels of the canvas; upright boxes are clipped to it."""
    if found.xywhr is not None:
        far = 1 << 20  # OpenCV draws with 32 bits, of which some are for fractions
        return np.clip(np.rint(rotated_corners(found.xywhr) * factor), -far, far).astype(np.int32)
    edges = np.clip(np.rint(found.xyxy * factor), 0, limit).astype(np.int32)
    return edges[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
