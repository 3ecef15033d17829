"""Decoders of boxes as a few lines of NumPy and OpenCV, in pixels of the image that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.cells import cell_count
from edgecnn.postprocess.detr import SCORE_LIMIT, output_names
from edgecnn.postprocess.fastestdet import STRIDE
from edgecnn.postprocess.final_boxes import OUTPUTS
from edgecnn.postprocess.nanodet import BINS, LAYOUTS
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.yolo import layout_of
from edgecnn.shown_scores import shown_scores
from edgecnn.types import TensorSpec

Named = Mapping[str, str]


def fcos(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Distances from the centre of each cell to the sides, and class scores."""
    if not {"boxes", "scores"} <= named.keys():
        return []
    boxes, scores = named["boxes"], named["scores"]
    return [
        f"boxes, scores = {boxes}[0], {scores}[0]  # distances to the sides in strides, scores of the classes",
        *cells(card),
        "center = np.stack([x, y], 1) + stride[:, None] / 2",
        "xyxy = np.hstack([center - boxes[:, :2] * stride[:, None], center + boxes[:, 2:] * stride[:, None]])",
        *best_boxes(card),
    ]


def yolox(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Offset, size, objectness and class scores of each cell."""
    if len(outputs) != 1:
        return []
    return [
        f"cells = {named[outputs[0].name]}[0]  # offset and log size in strides, objectness, class scores",
        "scores = cells[:, 5:] * cells[:, 4:5]",
        *cells(card),
        "center = cells[:, :2] * stride[:, None] + np.stack([x, y], 1)",
        "half = np.exp(cells[:, 2:4]) * stride[:, None] / 2",
        "xyxy = np.hstack([center - half, center + half])",
        *best_boxes(card),
    ]


def yolo(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Decoded boxes and class scores, or the boxes after NMS."""
    layout = layout_of(outputs[0].shape, card.preprocess.size, len(card.labels)) if len(outputs) == 1 else ""
    if not layout:
        return []
    name, spec = named[outputs[0].name], outputs[0]
    if layout == "end2end":
        table = name if len(spec.shape) == 2 else f"{name}[0]"
        return [
            f"table = {table}  # x1, y1, x2, y2, score, class",
            "xyxy, score, class_id = table[:, :4], table[:, 4], table[:, 5].astype(int)",
            *to_pixels(card),
            *after_nms(card),
        ]
    table = f"{name}[0].T" if layout == "columns" else f"{name}[0]"
    scores = "table[:, 5:] * table[:, 4:5]" if layout == "objectness" else "table[:, 4:]"
    return [
        f"table = {table}  # centre, size, {'objectness, ' if layout == 'objectness' else ''}class scores",
        f"scores = {scores}",
        "xyxy = np.hstack([table[:, :2] - table[:, 2:4] / 2, table[:, :2] + table[:, 2:4] / 2])",
        *to_pixels(card),
        *best_boxes(card),
    ]


def fastestdet(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """A grid of objectness, offset, size and class scores."""
    if len(outputs) != 1 or len(outputs[0].shape) != 4 or outputs[0].shape[1] != 5 + len(card.labels):
        return []
    rows, columns = card.preprocess.size
    return [
        f"table = {named[outputs[0].name]}[0].reshape({outputs[0].shape[1]}, -1)  # objectness, offset, size, class scores",
        "scores = (table[:1].clip(0) ** 0.6 * table[5:].clip(0) ** 0.4).T",
        f"y, x = np.divmod(np.arange(table.shape[1]), {-(-columns // STRIDE)})",
        f"center = (np.stack([x, y], 1) + np.tanh(table[1:3].T)) * {STRIDE}",
        f"half = np.float32([{columns}, {rows}]) / (1 + np.exp(-table[3:5].T)) / 2",
        "xyxy = np.hstack([center - half, center + half])",
        *best_boxes(card),
    ]


def nanodet(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Class scores of cells, and a distribution for the distance to each side."""
    classes, shape = len(card.labels), outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[2] != classes + 4 * BINS:
        return []
    strides = next((one for one in LAYOUTS if shape[1] == cell_count(card.preprocess.size, one)), None)
    if strides is None:
        return []
    return [
        f"table = {named[outputs[0].name]}[0]  # class scores, then shares of the distances 0 to {BINS - 1} to left, top, right, bottom",
        f"scores, sides = table[:, :{classes}], table[:, {classes}:].reshape(-1, 4, {BINS})",
        "sides = np.exp(sides - sides.max(2, keepdims=True))",
        *cells(card, strides),
        f"sides = sides / sides.sum(2, keepdims=True) @ np.arange({BINS}) * stride[:, None]",
        f"center = np.stack([x, y], 1) + {LAYOUTS[strides]} * stride[:, None]",
        "xyxy = np.hstack([center - sides[:, :2], center + sides[:, 2:]])",
        *best_boxes(card),
    ]


def detr(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """A set of boxes and their class scores, without NMS."""
    shapes, classes = {spec.name: spec.shape for spec in outputs}, len(card.labels)
    boxes, scores = output_names(shapes, classes)
    if not boxes:
        return []
    rows, columns = card.preprocess.size
    lines = [f"boxes, scores = {named[boxes]}[0], {named[scores]}[0]  # centre and size in 0..1, class scores"]
    if shapes[scores][2] == classes + 1:
        lines += [
            "scores = np.exp(scores - scores.max(1, keepdims=True))  # softmax; the last class is no object",
            "scores = (scores / scores.sum(1, keepdims=True))[:, :-1]",
            "class_id, score = scores.argmax(1), scores.max(1)",
        ]
    else:
        lines += [
            "if scores.min() < 0 or scores.max() > 1:",
            f"    scores = 1 / (1 + np.exp(-scores.clip({-SCORE_LIMIT}, {SCORE_LIMIT})))  # sigmoid",
            f"query, class_id = np.nonzero(scores >= {NmsOptions.from_card(card.decode.options).score_threshold})",
            "boxes, score = boxes[query], scores[query, class_id]",
        ]
    return [
        *lines,
        f"center, half = boxes[:, :2] * [{columns}, {rows}], boxes[:, 2:] * [{columns}, {rows}] / 2",
        "xyxy = np.hstack([center - half, center + half])",
        *after_nms(card),
    ]


def final(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """The outputs of a graph that ends in NMS."""
    if set(named) != set(OUTPUTS):
        return []
    boxes, scores, classes, count = (named[name] for name in OUTPUTS)
    return [
        f"count = int({count}[0])  # NMS is in the graph: corners in pixels of the input, best first",
        f"xyxy, score, class_id = {boxes}[0][:count], {scores}[0][:count], {classes}[0][:count]",
        *_printed(card),
    ]


def to_pixels(card: ModelCard) -> list[str]:
    """Lines that bring ``xyxy`` to pixels of the input."""
    rows, columns = card.preprocess.size
    return [
        "if len(xyxy) and xyxy.max() <= 2:  # in 0..1 of the input",
        f"    xyxy = xyxy * np.float32([{columns}, {rows}] * 2)",
    ]


def cells(card: ModelCard, strides: Sequence[int] = ()) -> list[str]:
    """Lines that give the corner ``x``, ``y`` and the ``stride`` of each cell; by default of the strides in the card."""
    rows, columns = card.preprocess.size
    strides = tuple(strides or card.decode.options.get("strides", (8, 16, 32)))
    return [
        f"cells_of = lambda s: [(x * s, y * s, s) for y in range(-(-{rows} // s)) for x in range(-(-{columns} // s))]",
        f"x, y, stride = np.float32([cell for s in {strides} for cell in cells_of(s)]).T",
    ]


def best_boxes(card: ModelCard) -> list[str]:
    """Lines from ``xyxy`` and ``scores`` of all cells to the printed boxes."""
    options = NmsOptions.from_card(card.decode.options)
    rival = "np.zeros(len(score), np.int32)" if options.class_agnostic else "class_id.astype(np.int32)"
    return [
        "class_id, score = scores.argmax(1), scores.max(1)",
        f"kept = score >= {options.score_threshold}",
        "xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]",
        "xywh = np.hstack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]]).astype(float)",
        f"kept = np.int64(cv2.dnn.NMSBoxesBatched(xywh, score, {rival}, 0.0, {options.iou_threshold}))"
        f"[:{options.max_detections}]",
        "xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]",
        *_printed(card),
    ]


def after_nms(card: ModelCard) -> list[str]:
    """Lines from boxes of which none has to be suppressed to the printed ones."""
    options = NmsOptions.from_card(card.decode.options)
    return [
        f"kept = np.argsort(-score, kind='stable')[:{options.max_detections}]",
        f"kept = kept[(score[kept] >= {options.score_threshold}) & (score[kept] > 0)]",
        "xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]",
        *_printed(card),
    ]


def _printed(card: ModelCard) -> list[str]:
    own = shown_scores(card)
    scores = [own.own.get(index, 0.0) for index in range(len(card.labels))]
    return [
        *([f"kept = score >= np.float32({scores})[class_id]  # of each class"] if own.own else []),
        *(["xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]"] if own.own else []),
        "scale = np.array([width / image.shape[1], height / image.shape[0]] * 2)  # back to pixels of the image",
        "xyxy = ((xyxy - [left, top, left, top]) / scale).clip(0, [image.shape[1], image.shape[0]] * 2)",
        "for box, points, index in zip(xyxy, score, class_id):",
        "    print(f'{points:.5f} {labels[index]}', *(f'{side:.2f}' for side in box))",
    ]
