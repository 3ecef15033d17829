"""Decodes detectors that predict a set of boxes: DETR (arXiv:2005.12872), Deformable DETR, RT-DETR (arXiv:2304.08069), D-FINE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.nms import NmsOptions, best_class, top_scores
from edgecnn.postprocess.tensors import first_image, unexpected_outputs
from edgecnn.types import Detections, Float32, Tensors

SCORE_LIMIT = 80.0  # exp(100) overflows in float32, and both give a score of 0 or 1


def detr(outputs: Tensors, card: ModelCard) -> Detections:
    """Class scores (1, Q, C) or (1, Q, C + 1), and boxes (1, Q, 4): centre and size in 0..1 of the input; no NMS.

    With C scores each class has a sigmoid of its own, and a query may give several boxes, as in RT-DETR's post-processor
    (https://github.com/lyuwenyu/RT-DETR, rtdetr_postprocessor.py); scores within 0..1 have been through it. With C + 1 the last one
    is "no object", and a softmax compares them, as in DETR's (https://github.com/facebookresearch/detr, models/detr.py).
    """
    classes = len(card.labels)
    boxes, scores = _pair(outputs, classes)
    options = NmsOptions.from_card(card.decode.options)
    if scores.shape[1] == classes + 1:
        query, class_id, score = best_class(_softmax(scores)[:, :-1], options.score_threshold)
    else:
        table = scores if scores.min() >= 0 and scores.max() <= 1 else 1 / (1 + np.exp(-scores.clip(-SCORE_LIMIT, SCORE_LIMIT)))
        query, class_id = np.nonzero(table >= options.score_threshold)
        score = table[query, class_id]
    best = top_scores(score, options.max_detections)
    height, width = card.preprocess.size
    chosen = boxes[query[best]] * np.array([width, height, width, height], np.float32)
    half = chosen[:, 2:] / 2
    xyxy = np.concatenate([chosen[:, :2] - half, chosen[:, :2] + half], axis=1)
    return Detections(np.ascontiguousarray(xyxy, np.float32), score[best].astype(np.float32), class_id[best].astype(np.int64))


def output_names(shapes: Mapping[str, Sequence[int]], classes: int) -> tuple[str, str]:
    """The names of boxes and scores among outputs of these ``shapes``, "" for what is missing.

    Of two outputs of four columns the name decides, else the first are the scores.
    """
    fitting = {name: shape for name, shape in shapes.items() if len(shape) == 3}
    boxes = [name for name, shape in fitting.items() if shape[2] == 4]
    if len(boxes) > 1:
        boxes = [name for name in boxes if "box" in name.lower()] or boxes[-1:]
    scores = [name for name, shape in fitting.items() if name not in boxes and shape[2] in (classes, classes + 1)]
    if len(shapes) != 2 or not boxes or not scores or fitting[boxes[0]][1] != fitting[scores[0]][1]:
        return "", ""
    return boxes[0], scores[0]


def _pair(outputs: Tensors, classes: int) -> tuple[Float32, Float32]:
    boxes, scores = output_names({name: array.shape for name, array in outputs.items()}, classes)
    if not boxes:
        raise unexpected_outputs("detr", f"boxes (1, Q, 4) and scores (1, Q, {classes} or {classes + 1})", outputs)
    return first_image(outputs[boxes]), first_image(outputs[scores])


def _softmax(logits: Float32) -> Float32:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Float32 = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares
