"""The output layouts of YOLOv5, YOLOv8 and their successors, as exported by Ultralytics and others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import count
from edgecnn.postprocess.nms import Limits, best_class, strongest, suppress
from edgecnn.postprocess.tensors import misfit, rows, single
from edgecnn.types import Detections, Float32, Tensors

STRIDES = (8, 16, 32)


def yolo(outputs: Tensors, card: ModelCard) -> Detections:
    """One output in the layout of ``layout_of``; boxes in pixels, or in 0..1 of the input as TFLite exports have them."""
    found = single(outputs, "yolo")
    layout = layout_of(found.shape, card.preprocess.size, len(card.labels))
    if not layout:
        classes = len(card.labels)
        raise misfit("yolo", f"an output (1, {4 + classes}, N), (1, N, {5 + classes}) or (1, N, 6)", outputs)
    limits = Limits.of(card.decode.options)
    if layout == "end2end":
        return _end2end(rows(found), limits, card.preprocess.size)
    table = rows(found).T if layout == "columns" else rows(found)
    return _dense(table, limits, card.preprocess.size, has_objectness=layout == "objectness")


def layout_of(shape: Sequence[int], size: tuple[int, int], classes: int) -> str:
    """How the output of a YOLO is laid out, "" where it is none.

    columns: (1, 4 + C, N), centre, size and class scores · rows: (1, N, 4 + C), the same transposed · objectness: (1, N, 5 + C), an
    objectness before the class scores · end2end: (1, N, 6), corners, score and class of what is left after NMS. One class makes
    (1, N, 6) ambiguous: a multiple of the number of cells is dense, anything else end2end.
    """
    if len(shape) != 3:
        return ""
    first, last = shape[1:]
    dense = first % count(size, STRIDES) == 0 and first > 0
    if last == 6 and not (classes == 1 and dense):
        return "end2end"
    if last == 5 + classes:
        return "objectness"
    if 4 + classes in (first, last):
        return "columns" if first == 4 + classes else "rows"
    return ""


def _dense(table: Float32, limits: Limits, size: tuple[int, int], *, has_objectness: bool) -> Detections:
    """``table`` (N, 4 + C) or (N, 5 + C), a row for each cell."""
    start = 5 if has_objectness else 4
    if has_objectness:
        likely = np.flatnonzero(table[:, 4] >= limits.score)
        scores = table[likely, start:] * table[likely, 4:5]
    else:
        likely, scores = np.arange(len(table)), table[:, start:]
    kept, class_id, score = best_class(scores, limits.score)
    unit = _unit(table[:, :2], size)
    boxes = table[likely[kept], :4]
    half = boxes[:, 2:] / 2
    return suppress(np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1) * unit, score, class_id, limits)


def _end2end(table: Float32, limits: Limits, size: tuple[int, int]) -> Detections:
    """``table`` (N, 6): x1, y1, x2, y2, score, class; no suppression, that was done in the graph."""
    table = table[table[:, 4] >= limits.score]
    table = table[strongest(table[:, 4], limits.count)]
    xyxy = np.ascontiguousarray(table[:, :4] * _unit(table[:, :4], size))
    return Detections(xyxy, table[:, 4].copy(), table[:, 5].astype(np.int64))


def _unit(coordinates: Float32, size: tuple[int, int]) -> Float32:
    """What coordinates are multiplied with to be pixels: cells cover the whole input, so none above 2 means 0..1."""
    if not coordinates.size or coordinates.max() > 2:
        return np.ones(4, np.float32)
    height, width = size
    return np.array([width, height, width, height], np.float32)
