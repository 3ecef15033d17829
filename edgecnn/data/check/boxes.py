"""Finds boxes that are likely to be mistakes of labelling, although they are valid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgecnn.metrics.match import iou_matrix
from edgecnn.rotated import from_corners
from edgecnn.rotated import overlap as rotated_overlap
from edgecnn.types import Boxes

TINY_PX = 4.0
THIN = 15.0  # a side so many times the other
WHOLE = 0.98  # of the area of the image
SAME_IOU, OTHER_IOU = 0.95, 0.98
TINY, NARROW, FULL = "a side below 4 px", "one side over 15 times the other", "as large as the image"
TWICE, TWO_CLASSES = "the same box twice", "two classes for one box"
KINDS = (TINY, NARROW, FULL, TWICE, TWO_CLASSES)


def odd_boxes(boxes: Boxes, width: int, height: int) -> Iterator[tuple[int, str]]:
    """Index and kind (one of ``KINDS``) of boxes to look at in an image of ``width`` x ``height`` pixels; crowd boxes are not."""
    if not len(boxes):
        return
    counts = np.ones(len(boxes), np.bool_) if boxes.crowd is None else ~boxes.crowd
    turned = None if boxes.corners is None else from_corners(boxes.corners)
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2] if turned is None else turned[:, 2:4]
    short, long = sides.min(1), sides.max(1)
    kinds = {
        TINY: short < TINY_PX,
        NARROW: (short >= TINY_PX) & (long > THIN * short),
        FULL: sides.prod(1) >= WHOLE * width * height,
    }
    for kind, found in kinds.items():
        yield from ((int(index), kind) for index in np.flatnonzero(found & counts))
    pairs = iou_matrix(boxes.xyxy, boxes.xyxy) if turned is None else rotated_overlap(turned, turned)
    overlap = np.triu(pairs, 1)
    same = boxes.class_id[:, None] == boxes.class_id[None, :]
    both = counts[:, None] & counts[None, :]
    for kind, found in ((TWICE, same & (overlap >= SAME_IOU)), (TWO_CLASSES, ~same & (overlap >= OTHER_IOU))):
        yield from ((int(index), kind) for index in np.unique(np.nonzero(found & both)[1]))
