"""Computes the ground truth of a frame from its id image: boxes and the visible share of each object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.types import Array, Boxes, Float32, Image

LEAST_VISIBLE = 0.25  # share of an object's pixels
LEAST_SIDE = 6  # pixels of the shorter side


@dataclass(frozen=True, slots=True, eq=False)
class SceneGroundTruth:
    """The ground-truth boxes of a frame, and the visible share of each object.

    A box encloses the visible pixels of an object, without occluded parts and parts outside the image. An object without
    visible pixels has no box. ``boxes.identity`` is constant during a cut and unique over all cuts.
    ``boxes.crowd`` marks boxes that evaluation ignores: less than LEAST_VISIBLE is visible, or a side is under LEAST_SIDE pixels.
    ``visible`` (n,) float32 is the share of the object's own pixels that show, the part outside the image counted as hidden.
    ``handle_visible`` (n,) float32 is the share of a mug's handle that shows; 0 where there is none.
    """

    boxes: Boxes
    visible: Float32
    handle_visible: Float32


@dataclass(frozen=True, slots=True, eq=False)
class PaintedObject:
    """A painted object with a label: number, label, identity, full area in pixels, and the image part ``box`` that contains it.

    ``handle`` (n, 2) are pixels on the centre line of its handle that its body does not hide, out of ``handle_points``.
    """

    number: int
    label: int
    identity: int
    area: float
    box: tuple[int, int, int, int]
    handle: Array | None
    handle_points: int


def ground_truth(ids: Image, painted: list[PaintedObject]) -> SceneGroundTruth:
    """The ground truth of a frame from its id image (H, W) uint8, which holds an object's number + 1 at each pixel."""
    rows: list[tuple[float, float, float, float]] = []
    kept: list[PaintedObject] = []
    visible: list[float] = []
    for item in painted:
        x0, y0, x1, y1 = item.box
        # a later object overwrites the ids of those behind it: only visible pixels still hold the number
        shows = (ids[y0:y1, x0:x1] == item.number + 1).view(np.uint8)
        x, y, width, height = cv2.boundingRect(shows)
        if not width:
            continue
        rows.append((x0 + x, y0 + y, x0 + x + width, y0 + y + height))
        kept.append(item)
        # the full area is that of the scaled outline, which rounding can make a little smaller than the pixels
        visible.append(min(1.0, cv2.countNonZero(shows) / max(item.area, 1.0)))
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    share = np.array(visible, np.float32)
    sides = (xyxy[:, 2:] - xyxy[:, :2]).min(1, initial=1e9)
    boxes = Boxes(
        xyxy,
        np.array([item.label for item in kept], np.int64),
        np.array([item.identity for item in kept], np.int64),
        (share < LEAST_VISIBLE) | (sides < LEAST_SIDE),
    )
    return SceneGroundTruth(boxes, share, np.array([_handle(ids, item) for item in kept], np.float32))


def _handle(ids: Image, item: PaintedObject) -> float:
    if item.handle is None or not len(item.handle):
        return 0.0
    height, width = ids.shape
    x, y = np.round(item.handle).astype(np.int64).T
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return float((ids[y[within], x[within]] == item.number + 1).sum() / item.handle_points)
