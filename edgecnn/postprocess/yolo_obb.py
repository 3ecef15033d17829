"""Decodes rotated boxes of YOLOv8-OBB, YOLO11-OBB and alike, before NMS: https://docs.ultralytics.com/tasks/obb/."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.nms import NmsOptions, best_class, suppress_rotated
from edgecnn.postprocess.tensors import first_image, single, unexpected_outputs
from edgecnn.postprocess.yolo import unit
from edgecnn.types import Detections, Tensors


def yolo_obb(outputs: Tensors, card: ModelCard) -> Detections:
    """One output (1, 5 + C, N) or (1, N, 5 + C): centre x, y, width, height, class scores, angle in radians; pixels or 0..1.

    Options as for NMS, which compares boxes of a class by their probabilistic IoU, as these networks do.
    Raises ``ArtifactError`` for an output of another shape.
    """
    array, classes = single(outputs, "yolo-obb"), len(card.labels)
    axis = class_axis(array.shape, classes)
    if axis is None:
        raise unexpected_outputs("yolo-obb", f"an output (1, {5 + classes}, N) or (1, N, {5 + classes})", outputs)
    table = first_image(array) if axis == 2 else first_image(array).T
    options = NmsOptions.from_card(card.decode.options)
    rows, class_id, score = best_class(table[:, 4 : 4 + classes], options.score_threshold)
    boxes = table[rows][:, [0, 1, 2, 3, 4 + classes]].astype(np.float32)
    boxes[:, :4] *= unit(table[:, :2], card.preprocess.size)
    return suppress_rotated(boxes, score, class_id, options)


def class_axis(shape: Sequence[int], classes: int) -> int | None:
    """The axis of an output that holds box, class scores and angle; None where it is no such output."""
    fitting = [axis for axis in (1, 2) if len(shape) == 3 and shape[axis] == 5 + classes]
    return min(fitting, key=lambda axis: shape[axis] > shape[3 - axis], default=None)
