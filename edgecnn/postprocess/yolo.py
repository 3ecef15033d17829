"""Decodes YOLOv5, YOLOv8 and later in the output layouts that Ultralytics and others export."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cell_count
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress, top_scores
from edgecnn.postprocess.tensors import class_ids, first_image, single, unexpected_outputs
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
        table = output.astype(np.float32, copy=False) if output.ndim == 2 else first_image(output)
        return _end2end(table, options, card)
    table = first_image(output).T if layout == "columns" else first_image(output)
    return dense(table, options, card.preprocess.size, has_objectness=layout == "objectness")


def layout_of(shape: Sequence[int], size: tuple[int, int], classes: int) -> str:
    """The layout of a YOLO output of ``shape`` with so many ``classes``; "" where it is no such output.

    columns: (1, 4 + C, N), centre, size and class scores · rows: (1, N, 4 + C), the same transposed · objectness: (1, N, 5 + C), with
    an objectness before the class scores · end2end: (1, N, 6) or (N, 6), corners, score and class after NMS in the graph.
    Six columns mean end2end, unless N is a multiple of the number of cells: then each row is a cell, and the classes decide.
    """
    if len(shape) == 2 and shape[1] == 6:
        return "end2end"
    if len(shape) != 3:
        return ""
    first, last = shape[1:]
    if last == 6 and not is_dense(first, size):
        return "end2end"
    # The cells are the axis that is a multiple of their number; models with other strides have more cells than classes.
    fitting = {
        "columns": last if first == 4 + classes else 0,
        "rows": first if last == 4 + classes else 0,
        "objectness": first if last == 5 + classes else 0,
    }
    best = max(fitting, key=lambda name: (is_dense(fitting[name], size), abs(fitting[name])))
    return best if fitting[best] else ""


def class_counts(shape: Sequence[int], size: tuple[int, int]) -> tuple[int, ...]:
    """The numbers of classes that a YOLO output of ``shape`` can have, the usual one first; () where the shape does not show it.

    YOLOv5 has three anchors per cell and an objectness; later versions have neither.
    """
    if len(shape) != 3 or max(shape[1:]) < 5 or layout_of(shape, size, 0) == "end2end":
        return ()
    first, last = shape[1:]
    # A dynamic axis (-1) can only be the cells.
    across, down = (length == -1 or is_dense(length, size) for length in (last, first))
    if not across and not down:
        return (min(first, last) - 4,) if min(first, last) > 4 else ()
    columns = (first - 4,) if across else ()
    with_anchors = first % (3 * cell_count(size, STRIDES)) == 0
    rows = ((last - 5, last - 4) if with_anchors else (last - 4, last - 5)) if down else ()
    return tuple(dict.fromkeys(count for count in (*columns, *rows) if count > 0))


def is_dense(length: int, size: tuple[int, int]) -> bool:
    """Whether an axis of this ``length`` holds the cells of an input of ``size``, or a multiple of them."""
    return length > 0 and length % cell_count(size, STRIDES) == 0


def dense(table: Float32, options: NmsOptions, size: tuple[int, int], *, has_objectness: bool) -> Detections:
    """Boxes of ``table`` (N, 4 + C) or (N, 5 + C), one row per cell or anchor: centre, size and scores."""
    start = 5 if has_objectness else 4
    if has_objectness:
        # the product can't exceed the objectness: rows below the threshold are dropped before the multiplication
        likely = np.flatnonzero(table[:, 4] >= options.score_threshold)
        scores = table[likely, start:] * table[likely, 4:5]
    else:
        likely, scores = np.arange(len(table)), table[:, start:]
    kept, class_id, score = best_class(scores, options.score_threshold)
    factor = unit(table[:, :2], size)
    boxes = table[likely[kept], :4]
    # rows are centre x, centre y, width, height
    half = boxes[:, 2:] / 2
    return suppress(np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1) * factor, score, class_id, options)


def _end2end(table: Float32, options: NmsOptions, card: ModelCard) -> Detections:
    """``table`` (N, 6): x1, y1, x2, y2, score, class. NMS has been done in the graph."""
    # Rows without a score fill the table; their other columns mean nothing.
    table = table[(table[:, 4] >= options.score_threshold) & (table[:, 4] > 0) & np.isfinite(table).all(axis=1)]
    table = table[top_scores(table[:, 4], options.max_detections)]
    xyxy = np.ascontiguousarray(table[:, :4] * unit(table[:, :4], card.preprocess.size))
    return Detections(xyxy, table[:, 4].copy(), class_ids(table[:, 5], len(card.labels)))


def unit(coordinates: Float32, size: tuple[int, int]) -> Float32:
    """The factor from coordinates to pixels. Dense outputs cover the whole input, so a maximum of at most 2 means 0..1."""
    if not coordinates.size or coordinates.max() > 2:
        return np.ones(4, np.float32)
    height, width = size
    return np.array([width, height, width, height], np.float32)
