"""Decodes the raw maps of YOLOv5, which its class returns in training form and some exports keep (https://docs.ultralytics.com/yolov5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import grid
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.tensors import first_image, unexpected_outputs
from edgecnn.postprocess.yolo import STRIDES, dense
from edgecnn.types import Array, Detections, Float32, Tensors

# Width and height in pixels of the three anchors of each stride, of the published models for 640 pixels.
ANCHORS = {
    8: ((10, 13), (16, 30), (33, 23)),
    16: ((30, 61), (62, 45), (59, 119)),
    32: ((116, 90), (156, 198), (373, 326)),
}


def yolov5(outputs: Tensors, card: ModelCard) -> Detections:
    """Three maps (1, 3, h, w, 5 + C) or (1, 3 * (5 + C), h, w) of strides 8, 16 and 32, in any order, before the sigmoid.

    Each anchor of a cell has centre, size, objectness and class scores. The anchors are those of the published models.
    """
    size, classes = card.preprocess.size, len(card.labels)
    order = map_order([array.shape for array in outputs.values()], size, classes)
    if not order:
        wanted = ", ".join(f"{h}x{w}" for h, w in _grids(size))
        raise unexpected_outputs("yolov5", f"three maps (1, 3, h, w, {5 + classes}) of {wanted}", outputs)
    maps = [first_image(array) for array in outputs.values()]
    options = NmsOptions.from_card(card.decode.options)
    parts = [_rows(_by_cell(maps[index], classes), size, stride, options) for stride, index in zip(STRIDES, order, strict=True)]
    return dense(np.concatenate(parts), options, size, has_objectness=True)


def map_order(shapes: Sequence[tuple[int, ...]], size: tuple[int, int], classes: int) -> list[int]:
    """The index of the map of each of ``STRIDES``; [] where the shapes are other ones."""
    places = {(*_grid_of(shape, classes),): index for index, shape in enumerate(shapes)}
    grids = _grids(size)
    return [places[one] for one in grids] if len(shapes) == 3 and set(places) == set(grids) else []


def _grid_of(shape: tuple[int, ...], classes: int) -> tuple[int, ...]:
    if len(shape) == 5 and shape[1] == 3 and shape[4] == 5 + classes:
        return shape[2:4]
    return shape[2:] if len(shape) == 4 and shape[1] == 3 * (5 + classes) else ()


def _grids(size: tuple[int, int]) -> list[tuple[int, int]]:
    return [(-(-size[0] // stride), -(-size[1] // stride)) for stride in STRIDES]


def _by_cell(raw: Array, classes: int) -> Array:
    """(3, h, w, 5 + C) from a map in either layout."""
    if raw.ndim == 4:
        return raw
    rows: Array = raw.reshape(3, 5 + classes, *raw.shape[1:])
    return np.moveaxis(rows, 1, -1)


def _rows(raw: Array, size: tuple[int, int], stride: int, options: NmsOptions) -> Float32:
    """(n, 5 + C) of the anchors whose objectness reaches the threshold: centre, size, objectness and class scores, 0..1."""
    threshold = np.clip(options.score_threshold, 1e-6, 1 - 1e-6)
    anchor, row, column = np.nonzero(raw[..., 4] >= np.log(threshold / (1 - threshold)))
    rows: Float32 = np.float32(1) / (1 + np.exp(-raw[anchor, row, column].astype(np.float32)))
    corners = grid(size, stride)[row * raw.shape[2] + column]
    rows[:, :2] = (rows[:, :2] * 2 - 0.5 + corners) * stride
    rows[:, 2:4] = (rows[:, 2:4] * 2) ** 2 * np.array(ANCHORS[stride], np.float32)[anchor]
    return rows
