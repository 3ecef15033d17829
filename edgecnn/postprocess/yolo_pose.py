"""Decodes YOLOv8-pose, YOLO11-pose and alike: boxes and key points, before NMS: https://docs.ultralytics.com/tasks/pose/."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.key_points import as_poses
from edgecnn.postprocess.nms import NmsOptions, kept_boxes
from edgecnn.postprocess.tensors import single, unexpected_outputs
from edgecnn.types import Poses, Tensors


def yolo_pose(outputs: Tensors, card: ModelCard) -> Poses:
    """One output (1, 5 + 3 K, N) or (1, N, 5 + 3 K): centre x, y, width, height, score, then x, y and score of each key point, in pixels.

    Options as for NMS of boxes. Raises ``ArtifactError`` for an output of another shape.
    """
    array = single(outputs, "yolo-pose")
    keys = len(card.labels)
    length = 5 + 3 * keys
    if array.ndim != 3 or array.shape[0] != 1 or length not in array.shape[1:]:
        raise unexpected_outputs("yolo-pose", f"one output with {length} numbers for each object, for {keys} key points", outputs)
    rows = (array[0] if array.shape[2] == length else array[0].T).astype(np.float32)
    options = NmsOptions.from_card(card.decode.options)
    rows = rows[rows[:, 4] >= options.score_threshold]
    xyxy = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
    chosen = kept_boxes(xyxy, rows[:, 4], options)
    rows, xyxy = rows[chosen], xyxy[chosen]
    return as_poses(rows[:, 5:].reshape(-1, keys, 3), rows[:, 4], card, xyxy)
