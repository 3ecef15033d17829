"""The decoder of a card as a few lines of NumPy, which print one line for each label, value or box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.final_boxes import FINAL_BOXES, OUTPUTS
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.yolo import layout_of
from edgecnn.runtime.snippets import python_places
from edgecnn.thresholds import LABEL_SCORE
from edgecnn.types import TensorSpec

PRINTED_CLASSES = 5

Writer = Callable[[ModelCard, Sequence[TensorSpec], Mapping[str, str]], list[str]]


def decoding(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """Lines that decode the outputs; ``named`` gives the variable of each output. Without a known decoder the shapes are printed."""
    lines = _WRITERS.get(card.decode.name, _unknown)(card, outputs, named)
    return lines or _unknown(card, outputs, named)


def _unknown(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """The outputs themselves."""
    lines = [f"# decoder {card.decode.name}: see edgecnn/postprocess" if card.decode.name not in ("raw", "") else "# the outputs"]
    return lines + [
        f"print({spec.name!r}, {named[spec.name]}.shape, {named[spec.name]}.dtype, {named[spec.name]}.min(), {named[spec.name]}.max())"
        for spec in outputs
    ]


def _classes(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str], *, logits: bool) -> list[str]:
    fitting = [spec for spec in outputs if len(outputs) == 1 or _size(spec) == len(card.labels)]
    if len(fitting) != 1:
        return []
    lines = [f"score = {named[fitting[0].name]}[0].reshape(-1)"]
    if logits:
        lines += ["score = np.exp(score - score.max())  # softmax", "score /= score.sum()"]
    return [
        *lines,
        f"for index in np.argsort(-score, kind='stable')[:{PRINTED_CLASSES}]:",
        "    print(f'{score[index]:.5f} {labels[index]}')",
    ]


def _softmax(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    return _classes(card, outputs, named, logits=True)


def _probabilities(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    return _classes(card, outputs, named, logits=False)


def _label_scores(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """The labels that apply."""
    fitting = [spec for spec in outputs if len(outputs) == 1 or _size(spec) == len(card.labels)]
    if len(fitting) != 1:
        return []
    output = f"{named[fitting[0].name]}[0].reshape(-1)"
    return [
        f"score = 1 / (1 + np.exp(-{output}))  # sigmoid" if card.decode.name == "sigmoid" else f"score = {output}",
        "for index in np.argsort(-score, kind='stable'):",
        f"    if score[index] >= {card.decode.options.get('label_threshold', LABEL_SCORE)}:",
        "        print(f'{score[index]:.5f} {labels[index]}')",
    ]


def _embedding(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """The vector; two images are as similar as the sum of the products of their numbers."""
    if len(outputs) != 1:
        return []
    return [
        f"vector = {named[outputs[0].name]}.reshape(-1)",
        "vector = vector / (np.linalg.norm(vector) or 1)  # similarity of two images: vector_a @ vector_b",
        "print(*(f'{value:.6f}' for value in vector))",
    ]


def _values(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    fitting = [spec for spec in outputs if _size(spec) == len(card.labels)]
    if len(fitting) != 1:
        return []
    scale, offset = (card.decode.options.get(key, usual) for key, usual in (("scale", 1), ("offset", 0)))
    return [
        f"values = {named[fitting[0].name]}[0].reshape(-1) * np.array({_plain(scale)}) + np.array({_plain(offset)})",
        "for value, label in zip(values, labels):",
        "    print(f'{value:.6g} {label}')",
    ]


def _plain(value: object) -> str:
    return repr(list(value)) if isinstance(value, (list, tuple)) else repr(value)


def _size(spec: TensorSpec) -> int:
    size = 1
    for length in spec.shape[1:]:
        size *= length
    return size


def _fcos(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    if not {"boxes", "scores"} <= named.keys():
        return []
    boxes, scores = named["boxes"], named["scores"]
    return [
        f"boxes, scores = {boxes}[0], {scores}[0]  # distances to the sides in strides, scores of the classes",
        *_cells(card),
        "center = np.stack([x, y], 1) + stride[:, None] / 2",
        "xyxy = np.hstack([center - boxes[:, :2] * stride[:, None], center + boxes[:, 2:] * stride[:, None]])",
        *_best_boxes(card),
    ]


def _yolox(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    if len(outputs) != 1:
        return []
    return [
        f"cells = {named[outputs[0].name]}[0]  # offset and log size in strides, objectness, class scores",
        "scores = cells[:, 5:] * cells[:, 4:5]",
        *_cells(card),
        "center = cells[:, :2] * stride[:, None] + np.stack([x, y], 1)",
        "half = np.exp(cells[:, 2:4]) * stride[:, None] / 2",
        "xyxy = np.hstack([center - half, center + half])",
        *_best_boxes(card),
    ]


def _yolo(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    layout = layout_of(outputs[0].shape, card.preprocess.size, len(card.labels)) if len(outputs) == 1 else ""
    if not layout:
        return []
    name, spec = named[outputs[0].name], outputs[0]
    if layout == "end2end":
        table = name if len(spec.shape) == 2 else f"{name}[0]"
        return [
            f"table = {table}  # x1, y1, x2, y2, score, class",
            "xyxy, score, class_id = table[:, :4], table[:, 4], table[:, 5].astype(int)",
            *_pixels(card),
            *_after_nms(card),
        ]
    table = f"{name}[0].T" if layout == "columns" else f"{name}[0]"
    scores = "table[:, 5:] * table[:, 4:5]" if layout == "objectness" else "table[:, 4:]"
    return [
        f"table = {table}  # centre, size, {'objectness, ' if layout == 'objectness' else ''}class scores",
        f"scores = {scores}",
        "xyxy = np.hstack([table[:, :2] - table[:, 2:4] / 2, table[:, :2] + table[:, 2:4] / 2])",
        *_pixels(card),
        *_best_boxes(card),
    ]


def _final(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    if set(named) != set(OUTPUTS):
        return []
    boxes, scores, classes, count = (named[name] for name in OUTPUTS)
    return [
        f"count = int({count}[0])  # NMS is in the graph: corners in pixels of the input, best first",
        f"xyxy, score, class_id = {boxes}[0][:count], {scores}[0][:count], {classes}[0][:count]",
        *_printed(),
    ]


def _pixels(card: ModelCard) -> list[str]:
    rows, columns = card.preprocess.size
    return [
        "if len(xyxy) and xyxy.max() <= 2:  # in 0..1 of the input",
        f"    xyxy = xyxy * np.float32([{columns}, {rows}] * 2)",
    ]


def _cells(card: ModelCard) -> list[str]:
    """Lines that give the corner ``x``, ``y`` and the ``stride`` of each cell."""
    rows, columns = card.preprocess.size
    strides = tuple(card.decode.options.get("strides", (8, 16, 32)))
    return [
        f"cells_of = lambda s: [(x * s, y * s, s) for y in range(-(-{rows} // s)) for x in range(-(-{columns} // s))]",
        f"x, y, stride = np.float32([cell for s in {strides} for cell in cells_of(s)]).T",
    ]


def _best_boxes(card: ModelCard) -> list[str]:
    """Lines from ``xyxy`` and ``scores`` of all cells to the printed boxes."""
    options = NmsOptions.from_card(card.decode.options)
    return [
        "class_id, score = scores.argmax(1), scores.max(1)",
        f"kept = score >= {options.score_threshold}",
        "xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]",
        "xywh = np.hstack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]]).astype(float)",
        f"kept = np.int64(cv2.dnn.NMSBoxesBatched(xywh, score, class_id.astype(np.int32), 0.0, {options.iou_threshold}))"
        f"[:{options.max_detections}]",
        "xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]",
        *_printed(),
    ]


def _after_nms(card: ModelCard) -> list[str]:
    options = NmsOptions.from_card(card.decode.options)
    return [
        f"kept = np.argsort(-score, kind='stable')[:{options.max_detections}]",
        f"kept = kept[(score[kept] >= {options.score_threshold}) & (score[kept] > 0)]",
        "xyxy, score, class_id = xyxy[kept], score[kept], class_id[kept]",
        *_printed(),
    ]


def _printed() -> list[str]:
    return [
        "scale = np.array([width / image.shape[1], height / image.shape[0]] * 2)  # back to pixels of the image",
        "xyxy = ((xyxy - [left, top, left, top]) / scale).clip(0, [image.shape[1], image.shape[0]] * 2)",
        "for box, points, index in zip(xyxy, score, class_id):",
        "    print(f'{points:.5f} {labels[index]}', *(f'{side:.2f}' for side in box))",
    ]


_WRITERS: Mapping[str, Writer] = {
    "softmax": _softmax,
    "logits": _softmax,
    "probabilities": _probabilities,
    "values": _values,
    "fcos": _fcos,
    "yolox": _yolox,
    "yolo": _yolo,
    FINAL_BOXES: _final,
    "sigmoid": _label_scores,
    "label-scores": _label_scores,
    "embedding": _embedding,
    "window-softmax": _softmax,
    "argmax": python_places.mask,
    "centres": python_places.centres,
    "heatmaps": python_places.heatmaps,
    "movenet": python_places.movenet,
    "yolo-pose": python_places.yolo_pose,
    "picture": python_places.picture,
}
