"""Decodes SSD models (Liu et al. 2016, arXiv:1512.02325) whose graph ends in a post-processing operator."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.nms import NmsOptions, top_scores
from edgecnn.postprocess.tensors import class_ids, first_image, unexpected_outputs
from edgecnn.types import Array, Detections, Float32, Tensors


def ssd(outputs: Tensors, card: ModelCard) -> Detections:
    """The four outputs of TFLite's Detection_PostProcess, or OpenVINO's DetectionOutput (1, 1, N, 7); boxes in 0..1 of the input.

    Option ``first_class`` is the class id of the first label: by default 0 with TFLite's operator and 1 with OpenVINO's, where 0
    is the background. Raises ``ArtifactError`` for a class without a label.
    """
    table, first_class = _tflite(outputs) if len(outputs) == 4 else _openvino(outputs)
    options = NmsOptions.from_card(card.decode.options)
    table = table[(table[:, 0] >= options.score_threshold) & np.isfinite(table).all(axis=1)]
    table = table[top_scores(table[:, 0], options.max_detections)]
    numbers = table[:, 1] - int(card.decode.options.get("first_class", first_class))
    class_id = class_ids(numbers, len(card.labels))
    height, width = card.preprocess.size
    xyxy = table[:, 2:] * np.array([width, height, width, height], np.float32)
    return Detections(xyxy, table[:, 0].copy(), class_id)


def _openvino(outputs: Tensors) -> tuple[Float32, int]:
    """Rows of score, class, x1, y1, x2, y2 from rows of image id, class, score, x1, y1, x2, y2; a negative image id ends the list."""
    output = next(iter(outputs.values()))
    if len(outputs) != 1 or output.ndim != 4 or output.shape[3] != 7:
        raise unexpected_outputs("ssd", "one output (1, 1, N, 7) or the four of TFLite_Detection_PostProcess", outputs)
    table = first_image(output)[0]
    # accumulate keeps the rows before the first negative image id; those after it are undefined
    table = table[np.logical_and.accumulate(table[:, 0] >= 0)]
    return table[:, [2, 1, 3, 4, 5, 6]], 1


def _tflite(outputs: Tensors) -> tuple[Float32, int]:
    """Rows of score, class, x1, y1, x2, y2 from boxes (1, N, 4) as y1, x1, y2, x2, classes and scores (1, N), and a count (1,)."""
    arrays = list(outputs.values())
    boxes = [array for array in arrays if array.ndim == 3 and array.shape[2] == 4]
    lists = [array for array in arrays if array.ndim == 2]
    counts = [array for array in arrays if array.size == 1]
    if len(boxes) != 1 or len(lists) != 2 or not counts:
        raise unexpected_outputs("ssd", "boxes (1, N, 4), classes (1, N), scores (1, N) and a count", outputs)
    classes, scores = lists if _are_classes(lists[0]) or not _are_classes(lists[1]) else lists[::-1]
    table = np.concatenate(
        [first_image(scores)[:, None], first_image(classes)[:, None], first_image(boxes[0])[:, [1, 0, 3, 2]]], axis=1
    )
    return table[: _count(float(counts[0].ravel()[0]), len(table))], 0


def _count(number: float, rows: int) -> int:
    """The number of valid rows, at most all; none where it is not a number."""
    return 0 if np.isnan(number) else int(min(max(number, 0.0), rows))


def _are_classes(array: Array) -> bool:
    """Whether all values are whole numbers: classes are, scores are not. Converters differ in the order of the two outputs."""
    return bool((array == np.rint(array)).all())
