"""The decoder of a card as a few lines of NumPy, which print one line for each label, value or box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.final_boxes import FINAL_BOXES
from edgecnn.runtime.snippets import python_anchors, python_boxes, python_places, python_rotated
from edgecnn.thresholds import LABEL_SCORE
from edgecnn.types import TensorSpec

PRINTED_CLASSES = 5

Writer = Callable[[ModelCard, Sequence[TensorSpec], Mapping[str, str]], list[str]]


def decoding(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """Lines that decode the outputs; ``named`` gives the variable of each.

    Of outputs that the decoder can't read, shape and range are printed.
    """
    lines = _WRITERS.get(card.decode.name, _unknown)(card, outputs, named)
    return lines or _unknown(card, outputs, named)


def _unknown(card: ModelCard, outputs: Sequence[TensorSpec], named: Mapping[str, str]) -> list[str]:
    """The outputs themselves."""
    raw = card.decode.name in ("raw", "")
    lines = [
        "# the outputs"
        if raw
        else f"# these are not the outputs of the decoder {card.decode.name}: shapes and ranges are printed"
    ]
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


_WRITERS: Mapping[str, Writer] = {
    "softmax": _softmax,
    "logits": _softmax,
    "probabilities": _probabilities,
    "values": _values,
    "fcos": python_boxes.fcos,
    "yolox": python_boxes.yolox,
    "yolo": python_boxes.yolo,
    "fastestdet": python_boxes.fastestdet,
    "nanodet": python_boxes.nanodet,
    "detr": python_boxes.detr,
    "ssd": python_anchors.ssd,
    "ultraface": python_anchors.ultraface,
    "blazeface": python_anchors.blazeface,
    "yolov5": python_anchors.yolov5,
    "yolo-obb": python_rotated.yolo_obb,
    FINAL_BOXES: python_boxes.final,
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
DECODED = frozenset(_WRITERS)
"""The names of the decoders that programs in Python have."""
