"""Identifies decoder, number of classes and usual preprocessing of a model by its tensor shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgecnn.labels import COCO_80
from edgecnn.postprocess.blazeface import VALUES, anchors
from edgecnn.postprocess.cells import cell_count
from edgecnn.postprocess.nanodet import BINS, LAYOUTS
from edgecnn.postprocess.ultraface import MIN_BOXES
from edgecnn.postprocess.yolo import STRIDES, class_counts, is_dense, layout_of
from edgecnn.postprocess.yolov5 import map_order
from edgecnn.postprocess.yunet import is_yunet
from edgecnn.types import TensorSpec

Size = tuple[int, int]

_YOLO = {"resize": "letterbox", "align": "center", "pad_value": 114, "color": "rgb", "mean": (0.0,), "std": (255.0,)}
# Preprocessing and NMS threshold of each family's own code. For a quantized input, mean and std come from its scale and zero-point.
CONVENTIONS: Mapping[str, Mapping[str, Any]] = {
    "yolox": {
        "resize": "letterbox",
        "align": "corner",
        "pad_value": 114,
        "color": "bgr",
        "mean": (0.0,),
        "std": (1.0,),
        "iou_threshold": 0.45,
    },
    "yolo": {**_YOLO, "iou_threshold": 0.7},
    "yolo-obb": {**_YOLO, "iou_threshold": 0.7},
    "yolov5": {**_YOLO, "iou_threshold": 0.45},
    "ssd": {"resize": "stretch", "color": "rgb", "mean": (127.5,), "std": (127.5,)},
    "ultraface": {
        "resize": "stretch",
        "color": "rgb",
        "mean": (127.0,),
        "std": (128.0,),
        "labels": ("face",),
        "iou_threshold": 0.3,
    },
    "blazeface": {
        "resize": "letterbox",
        "align": "center",
        "pad_value": 0,
        "color": "rgb",
        "mean": (127.5,),
        "std": (127.5,),
        "labels": ("face",),
        "iou_threshold": 0.3,
    },
    "yunet": {
        "resize": "letterbox",
        "align": "corner",
        "pad_value": 0,
        "color": "bgr",
        "mean": (0.0,),
        "std": (1.0,),
        "labels": ("face",),
        "iou_threshold": 0.3,
    },
    # mean and std differ between DETR and RT-DETR
    "detr": {"resize": "stretch", "color": "rgb"},
    "nanodet": {
        "resize": "stretch",
        "color": "bgr",
        "mean": (103.53, 116.28, 123.675),
        "std": (57.375, 57.12, 58.395),
        "iou_threshold": 0.6,
    },
    "fastestdet": {"resize": "stretch", "color": "bgr", "mean": (0.0,), "std": (255.0,), "iou_threshold": 0.45},
    "softmax": {"resize": "stretch"},
    "logits": {"resize": "stretch"},
    "probabilities": {"resize": "stretch"},
    "values": {"resize": "stretch"},
}
DETECTION_OUTPUT = {"resize": "stretch", "color": "bgr", "mean": (0.0,), "std": (1.0,)}
MOST_QUERIES = 1000
MAX_CLASSES = 65536  # as many labels as a card holds
CLASSIFIERS = ("softmax", "logits", "probabilities")


def conventions(decoder: str, outputs: Sequence[TensorSpec]) -> Mapping[str, Any]:
    """Return the usual preprocessing of models with this decoder; that of an SSD depends on the tool that exported it."""
    if decoder == "ssd" and len(outputs) == 1:
        return DETECTION_OUTPUT
    return CONVENTIONS.get(decoder, {})


def input_size(spec: TensorSpec) -> Size | None:
    """Return (height, width) of an image input; None if it is dynamic, or if the input is no image."""
    if not spec.layout:
        return None
    height, width = spec.shape[2:] if spec.layout == "NCHW" else spec.shape[1:3]
    return (height, width) if min(height, width) > 0 else None


def identify_detector(outputs: Sequence[TensorSpec], size: Size, classes: int | None) -> str:
    """Return the detection decoder that fits these output shapes, "" if there is none or if several fit.

    ``classes`` is the number of labels if it is known; else a shape with 80 classes is one of COCO.
    """
    shapes = [spec.shape for spec in outputs]
    fitting = {
        "ssd": _is_ssd(shapes),
        "ultraface": _is_ultraface(shapes, size),
        "blazeface": _is_blazeface(shapes, size),
        "yunet": is_yunet({spec.name: spec.shape for spec in outputs}, size),
        "detr": _is_detr(shapes, classes),
        "yolov5": bool(map_order(shapes, size, classes or len(COCO_80))),
        "nanodet": len(shapes) == 1 and _is_nanodet(shapes[0], size, classes or len(COCO_80)),
    }
    found = next((name for name, fits in fitting.items() if fits), "")
    if found or len(shapes) != 1:
        return found
    return _single(shapes[0], size, classes) if classes else _without_labels(shapes[0], size)


def _without_labels(shape: tuple[int, ...], size: Size) -> str:
    if len(shape) != 3 or (shape[2] == 6 and not is_dense(shape[1], size)):
        return _single(shape, size, len(COCO_80))
    # One axis has to be the cells: without them, 84 values are not 80 classes.
    has_cells = any(length == -1 or is_dense(length, size) for length in shape[1:])
    return (_single(shape, size, len(COCO_80)) or "yolo") if has_cells and class_counts(shape, size) else ""


def _single(shape: tuple[int, ...], size: Size, classes: int) -> str:
    # FastestDet: one grid of stride 16 with objectness, box (4) and classes in its channels.
    if len(shape) == 4 and shape[1] == 5 + classes and _is_grid(shape, size):
        return "fastestdet"
    # YOLOX: one row per cell with box (4), objectness and classes.
    if len(shape) == 3 and shape[1:] == (cell_count(size, STRIDES), 5 + classes):
        return "yolox"
    # One row of six values, also of a dynamic batch, is rather a classifier's.
    return "yolo" if shape not in ((1, 6), (-1, 6)) and layout_of(shape, size, classes) else ""


def is_single_grid(outputs: Sequence[TensorSpec], size: Size) -> bool:
    """Return whether the only output is a grid of FastestDet, whatever its number of classes."""
    return len(outputs) == 1 and _is_grid(outputs[0].shape, size)


def _is_grid(shape: tuple[int, ...], size: Size) -> bool:
    return len(shape) == 4 and shape[1] > 5 and shape[2:] == (-(-size[0] // 16), -(-size[1] // 16))


def _is_ssd(shapes: list[tuple[int, ...]]) -> bool:
    # OpenVINO's DetectionOutput: (1, 1, n, 7) with image id, class, score and box in each row.
    if len(shapes) == 1:
        return len(shapes[0]) == 4 and shapes[0][:2] == (1, 1) and shapes[0][3] == 7
    # TFLite's detection postprocessing: boxes (1, n, 4), classes (1, n), scores (1, n), count (1).
    ranks = sorted(len(shape) for shape in shapes)
    return ranks == [1, 2, 2, 3] and any(len(shape) == 3 and shape[2] == 4 for shape in shapes)


def _is_ultraface(shapes: list[tuple[int, ...]], size: Size) -> bool:
    # UltraFace: two scores (background, face) and a box (4) for each prior.
    priors = sum(cell_count(size, (stride,)) * len(boxes) for stride, boxes in MIN_BOXES.items())
    rows = sorted(shape[2] for shape in shapes if len(shape) == 3 and shape[1] in (-1, priors))
    return len(shapes) == 2 and rows == [2, 4]


def _is_blazeface(shapes: list[tuple[int, ...]], size: Size) -> bool:
    # BlazeFace: for each anchor a box with six key points, and a score.
    counts = [shape[1] for shape in shapes if len(shape) == 3 and shape[2] == 1]
    is_pair = len(shapes) == 2 and len(counts) == 1 and (1, counts[0], VALUES) in shapes
    return is_pair and anchors(size, counts[0]) is not None


def _is_detr(shapes: list[tuple[int, ...]], classes: int | None) -> bool:
    # DETR: a box and class scores for each of a few hundred queries; SSDs have thousands of anchors.
    if len(shapes) != 2 or any(len(shape) != 3 or not 0 < shape[1] <= MOST_QUERIES for shape in shapes):
        return False
    lasts = sorted((shape[2] for shape in shapes), key=lambda length: length != 4)
    same = shapes[0][1] == shapes[1][1]
    return same and lasts[0] == 4 and (lasts[1] > 1 if classes is None else lasts[1] in (classes, classes + 1))


def _is_nanodet(shape: tuple[int, ...], size: Size, classes: int) -> bool:
    # NanoDet: one row per cell with class scores and the distributions of four distances.
    return len(shape) == 3 and shape[2] == classes + 4 * BINS and shape[1] in [cell_count(size, strides) for strides in LAYOUTS]


def class_count(decoder: str, outputs: Sequence[TensorSpec], size: Size) -> int | None:
    """Return the number of classes that the output shapes imply; None if they do not show it, or if several are possible."""
    counts = class_choices(decoder, outputs, size)
    return counts[0] if len(counts) == 1 else None


def class_choices(decoder: str, outputs: Sequence[TensorSpec], size: Size) -> tuple[int, ...]:
    """Return the numbers of classes that the output shapes can mean; () if they do not show it."""
    return tuple(count for count in _class_choices(decoder, outputs, size) if count <= MAX_CLASSES)


def _class_choices(decoder: str, outputs: Sequence[TensorSpec], size: Size) -> tuple[int, ...]:
    shapes = {spec.name: spec.shape for spec in outputs}
    only = next(iter(shapes.values())) if len(shapes) == 1 else ()
    if decoder in (*CLASSIFIERS, "values"):
        # A dynamic size (-1) counts as 1.
        sizes = [abs(length) for length in only[1:]]
        return (max(sizes),) if sizes and sorted(sizes)[:-1] == [1] * (len(sizes) - 1) and max(sizes) else ()
    if decoder in ("ultraface", "blazeface", "yunet"):
        return (1,)
    if decoder == "detr":
        return _detr_classes(list(shapes.values()))
    if decoder == "yolo":
        return class_counts(only, size)
    if decoder == "yolo-obb":  # one number more in each row, the angle
        return tuple(count - 1 for count in class_counts(only, size) if count > 1)
    # the axis that holds a value for each class, and how many other values it holds
    axes = {
        "fcos": (shapes.get("scores", ())[-1:], 0),
        "yolox": (only[-1:], 5),
        "nanodet": (only[-1:], 4 * BINS),
        "yolov5": (next((shape[4:] for shape in shapes.values() if len(shape) == 5), ()), 5),
        "fastestdet": (only[1:2], 5),
    }
    return _known(*axes[decoder]) if decoder in axes else ()


def _detr_classes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """With a sigmoid one column for each class; with a softmax one more, for no object."""
    lasts = sorted((shape[-1] for shape in shapes if len(shape) == 3), key=lambda length: length != 4)
    return (lasts[1], lasts[1] - 1) if len(lasts) == 2 and lasts[1] > 1 else ()


def _known(length: Sequence[int], others: int) -> tuple[int, ...]:
    return (length[0] - others,) if length and length[0] > others else ()
