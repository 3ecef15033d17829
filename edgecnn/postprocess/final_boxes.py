"""Reads the boxes of a graph that ends in NMS: fixed-size tensors and the number of their rows that count.

`edgecnn export --nms` writes such graphs; TensorRT's EfficientNMS has the same outputs under other names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from edgecnn.card import CLASS_THRESHOLDS, Decode, ModelCard
from edgecnn.postprocess.nms import NmsOptions, top_scores
from edgecnn.postprocess.tensors import class_ids, first_image, unexpected_outputs
from edgecnn.types import Array, Detections, Int64, Tensors

FINAL_BOXES: Final = "final-boxes"
OUTPUTS: Final = ("boxes", "scores", "classes", "count")
NMS_OF: Final = "nms_of"  # option of the card of a graph to which export added NMS: the decoder that is in the graph, too
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "boxes": ("box",),
    "scores": ("score",),
    "classes": ("class", "label"),
    "count": ("count", "num"),
}


def final_boxes(outputs: Tensors, card: ModelCard) -> Detections:
    """``boxes`` (1, K, 4) corners in pixels of the input, ``scores`` (1, K), ``classes`` (1, K), ``count`` (1,) or (1, 1)."""
    kinds = _kinds(outputs)
    kept = int(np.clip(kinds["count"].reshape(-1)[0], 0, kinds["scores"].shape[1]))
    xyxy, score, class_id = (first_image(kinds[kind])[:kept] for kind in OUTPUTS[:3])
    options = NmsOptions.from_card(card.decode.options)
    usable = np.flatnonzero((score >= options.score_threshold) & np.isfinite(xyxy).all(axis=1))
    best = usable[top_scores(score[usable], options.max_detections)]
    return Detections(np.ascontiguousarray(xyxy[best]), score[best].copy(), class_ids(class_id[best], len(card.labels)))


def rows_in_order(found: Detections, pairs: Int64, outputs: Tensors) -> dict[str, Array]:
    """Outputs like ``outputs`` with box ``pairs[i, 1]`` of ``found`` in row ``pairs[i, 0]``, and NaN everywhere else; float32."""
    arrays = {name: np.full(array.shape, np.nan, np.float32) for name, array in outputs.items()}
    pairs = pairs[pairs[:, 0] < _kinds(arrays)["scores"].shape[1]]
    for kind, values in (("boxes", found.xyxy), ("scores", found.score), ("classes", found.class_id)):
        _kinds(arrays)[kind][0, pairs[:, 0]] = values[pairs[:, 1]]
    return arrays


def _kinds(outputs: Tensors) -> dict[str, Array]:
    """The outputs by what they hold; raises ``ArtifactError`` where one is missing."""
    found = {kind: _named(outputs, words) for kind, words in _WORDS.items()}
    kinds = {kind: array for kind, array in found.items() if array is not None}
    shapes = [kinds[kind].shape for kind in OUTPUTS[:3] if kind in kinds]
    rows = shapes[0][1] if shapes and len(shapes[0]) == 3 else 0
    fits = shapes == [(1, rows, 4), (1, rows), (1, rows)] and "count" in kinds and kinds["count"].size == 1
    if len(outputs) != len(OUTPUTS) or not fits:
        raise unexpected_outputs(FINAL_BOXES, "boxes (1, K, 4), scores (1, K), classes (1, K) and a count (1,)", outputs)
    return kinds


def _named(outputs: Tensors, words: tuple[str, ...]) -> Array | None:
    fitting = [array for name, array in outputs.items() if any(word in name.lower() for word in words)]
    if len(fitting) > 1 and words == ("count", "num"):  # "num_detections" beside "detection_boxes"
        fitting = [array for array in fitting if array.size == 1]
    return fitting[0] if len(fitting) == 1 else None


def final_decode(decode: Decode, *, suppresses: bool = True) -> Decode:
    """What reads a graph that does the work of ``decode`` and NMS; where ``suppresses`` is False no box is suppressed."""
    options = NmsOptions.from_card(decode.options)
    limits: dict[str, Any] = {
        "score_threshold": options.score_threshold,
        "iou_threshold": options.iou_threshold if suppresses else 1.0,
        "max_detections": options.max_detections,
    }
    limits |= {name: decode.options[name] for name in (CLASS_THRESHOLDS, "class_agnostic") if name in decode.options}
    return Decode(FINAL_BOXES, {**limits, NMS_OF: decode.name})


def as_outputs(found: Detections, rows: int) -> dict[str, Array]:
    """The outputs of a graph of ``rows`` rows that finds these boxes, best first; other rows are zero."""
    count = min(len(found), rows)
    boxes, scores, classes = np.zeros((1, rows, 4), np.float32), np.zeros((1, rows), np.float32), np.zeros((1, rows), np.int32)
    boxes[0, :count], scores[0, :count], classes[0, :count] = found.xyxy[:count], found.score[:count], found.class_id[:count]
    return {"boxes": boxes, "scores": scores, "classes": classes, "count": np.array([count], np.int32)}
