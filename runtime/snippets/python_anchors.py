"""Decoders of boxes that are relative to anchors, or that an operator of the graph has decoded, as a few lines of NumPy."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.blazeface import LAYOUTS, SCORE_LIMIT, VALUES
from edgecnn.postprocess.ultraface import CENTRE_VARIANCE, MIN_BOXES, SIZE_VARIANCE
from edgecnn.postprocess.yolo import STRIDES
from edgecnn.postprocess.yolov5 import ANCHORS, map_order
from edgecnn.runtime.snippets.python_boxes import Named, after_nms, best_boxes
from edgecnn.types import TensorSpec


def ssd(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """The outputs of TFLite's Detection_PostProcess, or OpenVINO's DetectionOutput."""
    rows, columns = card.preprocess.size
    if len(outputs) == 4:
        lines = [
            f"arrays = [{', '.join(named[spec.name] for spec in outputs)}]  # boxes, classes and scores in any order, and a count",
            "boxes = next(array[0] for array in arrays if array.ndim == 3)",
            "classes, score = sorted((array[0] for array in arrays if array.ndim == 2), key=lambda one: (one % 1 != 0).any())",
            "count = int(next(array for array in arrays if array.ndim < 2).item())",
            f"xyxy = boxes[:count, [1, 0, 3, 2]] * [{columns}, {rows}, {columns}, {rows}]",
            "score, class_id = score[:count], classes[:count].astype(int)",
        ]
    elif len(outputs) == 1:
        lines = [
            f"table = {named[outputs[0].name]}[0, 0]  # image, class, score, x1, y1, x2, y2; a negative image ends the list",
            "table = table[np.logical_and.accumulate(table[:, 0] >= 0)]",
            f"xyxy = table[:, 3:] * [{columns}, {rows}, {columns}, {rows}]",
            "score, class_id = table[:, 2], table[:, 1].astype(int)",
        ]
    else:
        return []
    first = int(card.decode.options.get("first_class", 0 if len(outputs) == 4 else 1))
    if len(card.labels) == 1:
        lines.append("class_id = np.zeros(len(score), int)")
    elif first:
        lines.append(f"class_id = class_id - {first}  # the number of the first label")
    return [*lines, *after_nms(card)]


def ultraface(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Scores of background and face, and corners or offsets to priors."""
    by_length = {spec.shape[-1]: named[spec.name] for spec in outputs if len(spec.shape) == 3}
    if len(outputs) != 2 or by_length.keys() != {2, 4}:
        return []
    rows, columns = card.preprocess.size
    return [
        f"boxes, scores = {by_length[4]}[0], {by_length[2]}[0]  # scores of background and face",
        "if scores.min() < 0 or scores.sum(1).max() >= 1.01:",
        "    scores = 1 / (1 + np.exp(scores[:, :1] - scores))  # softmax",
        "scores = scores[:, 1:]",
        "if not (boxes[:, 2:] > boxes[:, :2]).all():  # offsets to priors, not corners",
        f"    strides = {MIN_BOXES}  # the sides of the priors",
        f"    places = [(x, y, s) for s in strides for y in range(-(-{rows} // s)) for x in range(-(-{columns} // s))]",
        "    priors = [((x + 0.5) * s, (y + 0.5) * s, side, side) for x, y, s in places for side in strides[s]]",
        f"    priors = (np.array(priors) / [{columns}, {rows}, {columns}, {rows}]).clip(0, 1).astype(np.float32)",
        f"    center = priors[:, :2] + boxes[:, :2] * {CENTRE_VARIANCE} * priors[:, 2:]",
        f"    half = priors[:, 2:] * np.exp(boxes[:, 2:] * {SIZE_VARIANCE}) / 2",
        "    boxes = np.hstack([center - half, center + half])",
        f"xyxy = boxes * np.float32([{columns}, {rows}, {columns}, {rows}])",
        *best_boxes(card),
    ]


def blazeface(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Boxes in pixels from the centre of each anchor, and raw scores."""
    by_length = {spec.shape[-1]: spec for spec in outputs if len(spec.shape) == 3}
    if len(outputs) != 2 or by_length.keys() != {VALUES, 1}:
        return []
    (rows, columns), count = card.preprocess.size, by_length[1].shape[1]
    fitting = (one for one in LAYOUTS if count == sum(each * -(-rows // s) * -(-columns // s) for s, each in one))
    layout = next(fitting, None)
    if layout is None:
        return []
    return [
        f"boxes, scores = {named[by_length[VALUES].name]}[0], {named[by_length[1].name]}[0]",
        f"cells_of = lambda s: [((x + 0.5) * s, (y + 0.5) * s) for y in range(-(-{rows} // s)) for x in range(-(-{columns} // s))]",
        f"anchors = np.float32([cell for s, each in {layout} for cell in cells_of(s) for _ in range(each)])",
        "center, half = anchors + boxes[:, :2], boxes[:, 2:4] / 2",
        "xyxy = np.hstack([center - half, center + half])",
        f"scores = 1 / (1 + np.exp(-scores.clip({-SCORE_LIMIT}, {SCORE_LIMIT})))  # sigmoid",
        *best_boxes(card),
    ]


def yolov5(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Three raw maps, with three anchors in each cell."""
    classes = len(card.labels)
    order = map_order([spec.shape for spec in outputs], card.preprocess.size, classes)
    if not order:
        return []
    maps = []
    for stride, index in zip(STRIDES, order, strict=True):
        planes = (
            ""
            if len(outputs[index].shape) == 5
            else f".reshape(3, {5 + classes}, *{outputs[index].shape[2:]}).transpose(0, 2, 3, 1)"
        )
        maps.append(f"    ({stride}, {named[outputs[index].name]}[0]{planes}, {ANCHORS[stride]}),")
    return [
        "maps = [  # stride, map, width and height of the anchors",
        *maps,
        "]",
        "rows = []",
        "for stride, raw, anchors in maps:",
        "    raw = 1 / (1 + np.exp(-raw))  # centre, size, objectness, class scores",
        "    place = np.stack(np.meshgrid(np.arange(raw.shape[2]), np.arange(raw.shape[1])), 2)",
        "    center = (raw[..., :2] * 2 - 0.5 + place) * stride",
        "    half = (raw[..., 2:4] * 2) ** 2 * np.array(anchors)[:, None, None] / 2",
        "    parts = [center - half, center + half, raw[..., 4:5] * raw[..., 5:]]",
        f"    rows.append(np.concatenate(parts, 3).reshape(-1, {4 + classes}))",
        "table = np.concatenate(rows).astype(np.float32)",
        "xyxy, scores = table[:, :4], table[:, 4:]",
        *best_boxes(card),
    ]
