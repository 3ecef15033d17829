"""Inference on part of a frame: a region of interest, and overlapping tiles for objects that are small in a large frame."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.postprocess.nms import NmsOptions, suppress, suppress_rotated
from edgecnn.runtime.pipeline.camera_stream import InferFunction
from edgecnn.runtime.steps.shapes import Shape, area, check_length, parse_shape
from edgecnn.tasks import find
from edgecnn.types import Detections, Float32, Image, Prediction

Rectangle: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom

MASK_VALUE = 114  # pixels outside a polygon get the grey of a letterbox border
COVERED = 0.7  # a cut box is a duplicate when this fraction of it lies inside a whole box
ALIGNED = 0.7  # two cut boxes are one object when they overlap this much (IoU) along the seam
TOUCHES_PX = 2.0
MIN_REGION_PX = 8


@dataclass(frozen=True, slots=True)
class Tiles:
    """``columns`` x ``rows`` tiles that overlap by ``overlap`` of their size; ``whole``: the region as a whole is inferred, too,
    for objects larger than a tile.
    """

    columns: int
    rows: int
    overlap: float = 0.2
    whole: bool = True


def parse_roi(text: str) -> Shape:
    """``x1,y1,x2,y2`` (a rectangle by two corners) or three and more points of a polygon; raises ``InputError`` for any other text."""
    shape = parse_shape(text, "region", least=2, named=False)
    if len(shape.points) == 2:
        (ax, ay), (bx, by) = shape.points
        shape = Shape(shape.name, ((ax, ay), (bx, ay), (bx, by), (ax, by)), shape.relative)
    return check_length(shape, "region")


def parse_tiles(text: str) -> Tiles:
    """``2x2`` columns by rows, or ``2x2:0.3`` with the overlap; raises ``InputError`` for any other text."""
    found = re.fullmatch(r"(\d{1,2})x(\d{1,2})(?::(0?\.\d+|0))?", text.strip())
    if not found or not int(found[1]) or not int(found[2]) or (found[3] and float(found[3]) > 0.9):
        raise InputError(
            f"{text!r} is neither COLUMNSxROWS nor COLUMNSxROWS:OVERLAP",
            "give for example 2x2 or 2x2:0.3, with an overlap up to 0.9",
        )
    return Tiles(int(found[1]), int(found[2]), float(found[3]) if found[3] else 0.2)


class RegionInference:
    """Runs a model only inside ``roi``, there in ``tiles``; several threads may call it, each with its own ``infer``.

    Raises ``InputError`` for tiles with a model that is no detector.
    """

    def __init__(self, card: ModelCard, roi: Shape | None = None, tiles: Tiles | None = None) -> None:
        if tiles is not None and not find(card.task).has_boxes:
            raise InputError(f"--tiles needs a detector, but the task of the model is {card.task}", "leave --tiles out")
        self._roi, self._tiles = roi, tiles
        self._limits = NmsOptions.from_card(card.decode.options) if find(card.task).has_boxes else NmsOptions()
        self._mask: tuple[tuple[int, ...], NDArray[np.bool_] | None] = ((), None)

    def __call__(self, infer: InferFunction, image: Image) -> tuple[Prediction, dict[str, float]]:
        """The prediction of ``infer``, boxes in pixels of ``image``, and milliseconds by stage, summed over the tiles."""
        started = perf_counter()
        rectangle = self._rectangle(image)
        outside = self._outside(image, rectangle)
        shown = _shown(image, rectangle, outside)
        stage_ms = {"preprocess": (perf_counter() - started) * 1e3}
        parts, cuts = [], []
        for tile in self._places(shown):
            prediction, spent = infer(shown[tile[1] : tile[3], tile[0] : tile[2]])
            for stage, ms in spent.items():
                stage_ms[stage] = stage_ms.get(stage, 0.0) + ms
            if not isinstance(prediction, Detections):
                return prediction, stage_ms
            parts.append(_moved(prediction, tile[0], tile[1]))
            cuts.append(_cut(parts[-1].xyxy, tile, shown.shape))
        merging = perf_counter()
        found = parts[0] if len(parts) == 1 else merge(Detections.merge(parts), np.concatenate(cuts), self._limits)
        found = _moved(found, rectangle[0], rectangle[1])
        if outside is not None:
            found = self._inside(found, image)
        stage_ms["postprocess"] = stage_ms.get("postprocess", 0.0) + (perf_counter() - merging) * 1e3
        return found, stage_ms

    def _places(self, shown: Image) -> list[Rectangle]:
        height, width = shown.shape[:2]
        tiles = self._tiles
        if tiles is None:
            return [(0, 0, width, height)]
        columns, rows = _parts(width, tiles.columns, tiles.overlap), _parts(height, tiles.rows, tiles.overlap)
        whole = [(0, 0, width, height)] if tiles.whole else []
        return whole + [(x1, y1, x2, y2) for y1, y2 in rows for x1, x2 in columns]

    def _rectangle(self, image: Image) -> Rectangle:
        height, width = image.shape[:2]
        if self._roi is None:
            return 0, 0, width, height
        points = np.array(self._roi.in_pixels(width, height))
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
        left, top = (int(max(value, 0)) for value in low)
        right, bottom = int(min(high[0], width)), int(min(high[1], height))
        if right - left < min(MIN_REGION_PX, width) or bottom - top < min(MIN_REGION_PX, height):
            raise InputError(
                f"--roi: the region {left},{top} to {right},{bottom} is too small or outside the frame of {width}x{height}",
                "correct its points",
            )
        return left, top, right, bottom

    def _outside(self, image: Image, rectangle: Rectangle) -> NDArray[np.bool_] | None:
        """Mask of the rectangle's pixels outside the polygon; None where it has none."""
        if self._roi is None:
            return None
        shape, mask = self._mask  # read at once: another thread may replace it
        if shape != image.shape:
            left, top, right, bottom = rectangle
            points = np.array(self._roi.in_pixels(image.shape[1], image.shape[0])) - (left, top)
            inside = np.zeros((bottom - top, right - left), np.uint8)
            cv2.fillPoly(inside, [np.rint(points).astype(np.int32)], 1)
            upright = len(points) == 4 and abs(area([tuple(point) for point in points]) - np.prod(np.ptp(points, axis=0))) < 1e-6
            mask = None if upright else inside == 0
            self._mask = image.shape, mask
        return mask

    def _inside(self, found: Detections, image: Image) -> Detections:
        """The boxes whose centre is inside the region."""
        if self._roi is None or not len(found):
            return found
        polygon = np.array(self._roi.in_pixels(image.shape[1], image.shape[0]), np.float32)
        centres = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2
        return found[np.array([cv2.pointPolygonTest(polygon, centre, False) >= 0 for centre in centres.tolist()], np.bool_)]


def _shown(image: Image, rectangle: Rectangle, outside: NDArray[np.bool_] | None) -> Image:
    """The region: a view of the image, or for a polygon a copy with grey outside."""
    left, top, right, bottom = rectangle
    view = image[top:bottom, left:right]
    if outside is None:
        return view
    shown: Image = view.copy()
    shown[outside] = MASK_VALUE
    return shown


def merge(found: Detections, cut: NDArray[np.bool_], limits: NmsOptions) -> Detections:
    """One box per object: parts that meet at a seam are joined, parts of a whole box dropped, then NMS removes duplicates.

    ``cut`` (n,) marks boxes that end at an edge of their tile that is no edge of the image.
    """
    pieces = np.flatnonzero(cut & ~_covered(found, found[~cut]))
    if found.xywhr is not None:  # parts of a rotated box have other angles and are not joined
        left = np.setdiff1d(np.arange(len(found)), np.setdiff1d(np.flatnonzero(cut), pieces))
        return suppress_rotated(found.xywhr[left], found.score[left], found.class_id[left], limits)
    joined = _joined(found[pieces])
    alone = pieces[~_covered(found[pieces], joined)]
    everything = Detections.merge([found[~cut], found[alone], joined])
    return suppress(everything.xyxy, everything.score, everything.class_id, limits)


def _joined(pieces: Detections) -> Detections:
    """The unions of parts that overlap and are aligned along one axis: about equal in top and height, or in left and width."""
    boxes = pieces.xyxy
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    span = np.maximum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.minimum(boxes[:, None, :2], boxes[None, :, :2])
    aligned = (np.clip(high - low, 0, None) / np.maximum(span, 1e-6)).max(axis=2, initial=0) >= ALIGNED
    one = aligned & (high > low).all(axis=2) & (pieces.class_id[:, None] == pieces.class_id[None])
    group = np.arange(len(pieces))
    for first, second in zip(*np.nonzero(np.triu(one, 1)), strict=True):
        group[group == group[second]] = group[first]
    members = [np.flatnonzero(group == number) for number in np.unique(group)]
    return Detections.merge([_union(pieces[rows]) for rows in members if len(rows) > 1])


def _union(pieces: Detections) -> Detections:
    xyxy = np.concatenate([pieces.xyxy[:, :2].min(axis=0), pieces.xyxy[:, 2:].max(axis=0)])[None]
    return Detections(xyxy, pieces.score.max(keepdims=True), pieces.class_id[:1])


def _covered(found: Detections, others: Detections) -> NDArray[np.bool_]:
    """Whether most of a box is inside one of the ``others`` of its class."""
    low = np.maximum(found.xyxy[:, None, :2], others.xyxy[None, :, :2])
    high = np.minimum(found.xyxy[:, None, 2:], others.xyxy[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    own = np.prod(np.clip(found.xyxy[:, 2:] - found.xyxy[:, :2], 1e-6, None), axis=1)
    same = found.class_id[:, None] == others.class_id[None]
    return np.asarray((same & (shared >= COVERED * own[:, None])).any(axis=1), np.bool_)


def _cut(xyxy: Float32, tile: Rectangle, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mask of the boxes that touch an edge of their tile that is no edge of the image."""
    ends = (0, 0, shape[1], shape[0])
    edges = [abs(xyxy[:, side] - tile[side]) <= TOUCHES_PX for side in range(4) if tile[side] != ends[side]]
    return np.any(edges, axis=0) if edges else np.zeros(len(xyxy), np.bool_)


def _moved(found: Detections, x: int, y: int) -> Detections:
    if not (x or y):
        return found
    xywhr = None if found.xywhr is None else found.xywhr + np.array([x, y, 0, 0, 0], np.float32)
    return dataclasses.replace(found, xyxy=found.xyxy + np.array([x, y, x, y], np.float32), xywhr=xywhr)


def _parts(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """``count`` intervals of equal size over ``length`` pixels, each overlapping the next by ``overlap`` of its size.

    No more than ``length``, so that each has at least one pixel.
    """
    count = min(count, length)
    size = length / (count - (count - 1) * overlap)
    starts = [part * size * (1 - overlap) for part in range(count)]
    return [(round(start), min(max(round(start + size), round(start) + 1), length)) for start in starts]
