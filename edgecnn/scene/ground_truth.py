"""Computes the ground truth of a frame from its id image: boxes, mask, key points and the visible share of each object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.types import Array, Boxes, Float32, Image

LEAST_VISIBLE = 0.25  # share of an object's pixels
LEAST_SIDE = 6  # pixels of the shorter side
KEY_POINTS = (
    "rim",
    "rim left",
    "rim right",
    "foot",
)  # the centre of the rim, its ends as the camera sees them, the foot's centre
INWARD = 0.1  # share of the way to the middle of its key points
HIDDEN, VISIBLE = 1, 2  # COCO: a labelled key point that something covers, and one that shows; 0 is not labelled


@dataclass(frozen=True, slots=True, eq=False)
class SceneGroundTruth:
    """The ground-truth boxes, mask and key points of a frame, and the visible share of each object.

    A box encloses the visible pixels of an object, without occluded parts and parts outside the image. An object without
    visible pixels has no box. ``boxes.identity`` is constant during a cut and unique over all cuts.
    ``boxes.crowd`` marks boxes that evaluation ignores: less than LEAST_VISIBLE is visible, or a side is under LEAST_SIDE pixels.
    ``visible`` (n,) float32 is the share of the object's own pixels that show, the part outside the image counted as hidden.
    ``handle_visible`` (n,) float32 is the share of a mug's handle that shows; 0 where there is none. ``handles`` (n, 4) float32 are the
    boxes of these parts of the handles, within the boxes of the mugs.
    ``mask`` (H, W) uint8 has 0 for the background and an object's class + 1 where it shows.
    ``points`` (n, 4, 3) float32 are x, y and the visibility of KEY_POINTS, 0 outside the image, HIDDEN behind another object.
    """

    boxes: Boxes
    visible: Float32
    handle_visible: Float32
    handles: Float32
    mask: Image
    points: Float32


@dataclass(frozen=True, slots=True, eq=False)
class PaintedObject:
    """A painted object with a label: number, label, identity, full area in pixels, and the image part ``box`` that contains it.

    ``handle`` (n, 2) are pixels on the centre line of its handle that its body does not hide, out of ``handle_points``;
    ``handle_thick`` is its thickness in pixels. ``points`` (4, 2) are the pixels of KEY_POINTS.
    """

    number: int
    label: int
    identity: int
    area: float
    box: tuple[int, int, int, int]
    handle: Array | None
    handle_points: int
    handle_thick: float
    points: Array


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
    handles = [_shown_handle(ids, item) for item in kept]
    shares = np.array([len(shown) / max(item.handle_points, 1) for shown, item in zip(handles, kept, strict=True)], np.float32)
    around = np.array([_around(*each) for each in zip(handles, kept, rows, strict=True)], np.float32).reshape(-1, 4)
    points = np.array([_points(ids, item) for item in kept], np.float32).reshape(-1, len(KEY_POINTS), 3)
    return SceneGroundTruth(boxes, share, shares, around, _mask(ids, painted), points)


def _mask(ids: Image, painted: list[PaintedObject]) -> Image:
    classes = np.zeros(256, np.uint8)
    for item in painted:
        classes[item.number + 1] = item.label + 1
    return cv2.LUT(ids, classes).astype(np.uint8, copy=False)


def _points(ids: Image, item: PaintedObject) -> Float32:
    """Key points (4, 3) with their visibility; pixel centres have whole coordinates in ``item.points``, and halves here."""
    height, width = ids.shape
    x, y = item.points.T
    within = (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5)
    # looked up a little inside the object: the ends of the rim lie on its outline, where rounding decides what the pixel shows
    column, row = np.round(item.points + INWARD * (item.points.mean(0) - item.points)).astype(np.int64).T
    shows = ids[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)] == item.number + 1
    seen = np.where(within, np.where(shows, VISIBLE, HIDDEN), 0)
    return np.column_stack([(item.points + 0.5) * within[:, None], seen]).astype(np.float32)


def _shown_handle(ids: Image, item: PaintedObject) -> Array:
    """The pixels (n, 2) of the middle of its handle that show."""
    if item.handle is None:
        return np.zeros((0, 2))
    height, width = ids.shape
    x, y = np.round(item.handle).astype(np.int64).T
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    shows = ids[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] == item.number + 1
    return np.asarray(item.handle[within & shows])


def _around(handle: Array, item: PaintedObject, box: tuple[float, float, float, float]) -> Array:
    """The box of the part of a handle with that middle, within the ``box`` of its mug; zeros where nothing shows."""
    if not len(handle):
        return np.zeros(4)
    # pixel centres have whole coordinates in ``handle``, and halves in boxes
    low, high = handle.min(0) + 0.5 - item.handle_thick / 2, handle.max(0) + 0.5 + item.handle_thick / 2
    return np.concatenate([np.clip(part, box[:2], box[2:]) for part in (low, high)])
