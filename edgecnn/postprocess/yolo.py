"""Decodes YOLOv5, YOLOv8 and later in the output layouts that Ultralytics and others export."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cell_count
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress, top_scores
from edgecnn.postprocess.tensors import first_image, single, unexpected_outputs
from edgecnn.types import Detections, Float32, Tensors

STRIDES = (8, 16, 32)


def yolo(outputs: Tensors, card: ModelCard) -> Detections:
    """One output in the layout of ``layout_of``; boxes in pixels, or in 0..1 of the input as in TFLite exports."""
    output = single(outputs, "yolo")
    layout = layout_of(output.shape, card.preprocess.size, len(card.labels))
    if not layout:
        classes = len(card.labels)
        raise unexpected_outputs("yolo", f"an output (1, {4 + classes}, N), (1, N, {5 + classes}) or (1, N, 6)", outputs)
    options = NmsOptions.from_card(card.decode.options)
    if layout == "end2end":
        return _end2end(first_image(output), options, card.preprocess.size)
    table = first_image(output).T if layout == "columns" else first_image(output)
    return _dense(table, options, card.preprocess.size, has_objectness=layout == "objectness")


def layout_of(shape: Sequence[int], size: tuple[int, int], classes: int) -> str:
    """The layout of a YOLO output of ``shape``; "" where it is no YOLO output.

    columns: (1, 4 + C, N), centre, size and class scores · rows: (1, N, 4 + C), the same transposed · objectness: (1, N, 5 + C), with
    an objectness before the class scores · end2end: (1, N, 6), corners, score and class after NMS in the graph. With one class
    (1, N, 6) is ambiguous: it is objectness where N is a multiple of the number of cells, else end2end.
    """
    if len(shape) != 3:
        return ""
    first, last = shape[1:]
    dense = first % cell_count(size, STRIDES) == 0 and first > 0
    if last == 6 and not (classes == 1 and dense):
        return "end2end"
    if last == 5 + classes:
        return "objectness"
    if 4 + classes in (first, last):
        return "columns" if first == 4 + classes else "rows"
    return ""


def _dense(table: Float32, options: NmsOptions, size: tuple[int, int], *, has_objectness: bool) -> Detections:
    """``table`` (N, 4 + C) or (N, 5 + C), one row per cell or anchor."""
    start = 5 if has_objectness else 4
    if has_objectness:
        # the product can't exceed the objectness: rows below the threshold are dropped before the multiplication
        likely = np.flatnonzero(table[:, 4] >= options.score_threshold)
        scores = table[likely, start:] * table[likely, 4:5]
    else:
        likely, scores = np.arange(len(table)), table[:, start:]
    kept, class_id, score = best_class(scores, options.score_threshold)
    unit = _unit(table[:, :2], size)
    boxes = table[likely[kept], :4]
    # rows are centre x, centre y, width, height
    half = boxes[:, 2:] / 2
    return suppress(np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1) * unit, score, class_id, options)


def _end2end(table: Float32, options: NmsOptions, size: tuple[int, int]) -> Detections:
    """``table`` (N, 6): x1, y1, x2, y2, score, class. NMS has been done in the graph."""
    table = table[table[:, 4] >= options.score_threshold]
    table = table[top_scores(table[:, 4], options.max_detections)]
    xyxy = np.ascontiguousarray(table[:, :4] * _unit(table[:, :4], size))
    return Detections(xyxy, table[:, 4].copy(), table[:, 5].astype(np.int64))


def _unit(coordinates: Float32, size: tuple[int, int]) -> Float32:
    """The factor from coordinates to pixels. Dense outputs cover the whole input, so a maximum of at most 2 means 0..1."""
    if not coordinates.size or coordinates.max() > 2:
        return np.ones(4, np.float32)
    height, width = size
    return np.array([width, height, width, height], np.float32)
