"""Decodes YuNet (Wu et al. 2023, https://github.com/ShiqiYu/libfacedetection.train), the face detector of OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cell_count, cells
from edgecnn.postprocess.nms import NmsOptions, suppress
from edgecnn.postprocess.tensors import first_image, unexpected_outputs
from edgecnn.types import Array, Detections, Float32, Tensors

STRIDES = (8, 16, 32)
WIDTHS = {"cls": 1, "obj": 1, "bbox": 4}  # outputs of each stride, with a row for each cell; "kps", the key points, is left out


def yunet(outputs: Tensors, card: ModelCard) -> Detections:
    """Outputs cls_8, obj_8 (1, N, 1) and bbox_8 (1, N, 4) of stride 8, and those of strides 16 and 32.

    Score = sqrt(class * objectness), centre = cell + (x, y) and size = exp(width, height), in strides, as in OpenCV's FaceDetectorYN.
    """
    size = card.preprocess.size
    if not is_yunet({name: array.shape for name, array in outputs.items()}, size):
        raise unexpected_outputs("yunet", "cls, obj and bbox of the strides 8, 16 and 32", outputs)
    of_class, objectness = (_joined(outputs, name).clip(0, 1)[:, 0] for name in ("cls", "obj"))
    score = np.sqrt(of_class * objectness)
    options = NmsOptions.from_card(card.decode.options)
    kept = np.flatnonzero(score >= options.score_threshold)
    boxes = _joined(outputs, "bbox")[kept]
    corners, strides = (part[kept] for part in cells(size, STRIDES))
    centre, half = corners + boxes[:, :2] * strides, np.exp(boxes[:, 2:]) * strides / 2
    return suppress(np.concatenate([centre - half, centre + half], axis=1), score[kept], np.zeros(len(kept), np.int64), options)


def is_yunet(shapes: Mapping[str, Sequence[int]], size: tuple[int, int]) -> bool:
    """Whether outputs of these names and shapes are those of YuNet for an input of ``size`` (height, width)."""
    wanted = {f"{name}_{stride}": (1, cell_count(size, (stride,)), width) for stride in STRIDES for name, width in WIDTHS.items()}
    return all(tuple(shapes.get(name, ())) == shape for name, shape in wanted.items())


def _joined(outputs: Mapping[str, Array], name: str) -> Float32:
    return np.concatenate([first_image(outputs[f"{name}_{stride}"]) for stride in STRIDES])
