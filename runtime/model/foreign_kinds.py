"""Names what a model file gives that edgecnn has no decoder for, by the shapes of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Shape = tuple[int, ...]

# Numbers of values: 468 and 478 points of a face, 21 of a hand, 39 of a body (x, y, z, visibility, presence), 71 of an eye; in 3-D.
_LANDMARKS = (1404, 1434, 63, 195, 213)
_MANY = 100  # anchors or steps
_TEXT_CLASSES = 1000


def kind_of_outputs(shapes: Sequence[Shape]) -> str:
    """Return what outputs of these shapes are, for an error message; "" if they are not known. A size of -1 is dynamic."""
    return next((name for name, matches in _KINDS if shapes and matches(shapes)), "")


def _is_single_pose(shapes: Sequence[Shape]) -> bool:
    return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1:] == (1, 17, 3)


def _is_multi_pose(shapes: Sequence[Shape]) -> bool:
    return len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1:] == (6, 56)


def _are_landmarks(shapes: Sequence[Shape]) -> bool:
    values = [max(shape, default=0) for shape in shapes if sum(abs(length) != 1 for length in shape) <= 1]
    return len(shapes) > 1 and any(length in _LANDMARKS for length in values)


def _are_anchor_points(shapes: Sequence[Shape]) -> bool:
    wide = [shape for shape in shapes if len(shape) == 3 and shape[1] > _MANY and 6 < shape[2] <= 40 and shape[2] % 2 == 0]
    return len(shapes) == 2 and len(wide) == 1 and (*wide[0][:2], 1) in shapes


def _are_anchor_classes(shapes: Sequence[Shape]) -> bool:
    boxes = [shape for shape in shapes if len(shape) == 3 and shape[1] > _MANY and shape[2] == 4]
    return len(shapes) == 2 and any(
        len(shape) == 3 and shape[1] == boxes[0][1] for shape in shapes if boxes and shape not in boxes
    )


def _is_nms_of_others(shapes: Sequence[Shape]) -> bool:
    ranks = sorted(len(shape) for shape in shapes)
    lasts = {shape[-1] for shape in shapes if len(shape) >= 2}
    return (ranks == [1, 1, 2] and 4 in lasts) or (ranks == [2, 3] and 5 in lasts)


def _are_grids(shapes: Sequence[Shape]) -> bool:
    return len(shapes) > 1 and sum(len(shape) >= 4 and _is_map(shape) for shape in shapes) > 1


def _is_one_map(shapes: Sequence[Shape]) -> bool:
    return any(len(shape) == 4 and _is_map(shape) for shape in shapes) or any(
        len(shape) == 3 and shape[0] in (1, -1) and min(shape[1:]) >= _MANY and shape[1] == shape[2] for shape in shapes
    )


def _is_text(shapes: Sequence[Shape]) -> bool:
    return len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] == -1 and shapes[0][2] >= _TEXT_CLASSES


def _is_map(shape: Shape) -> bool:
    """Whether two of the three last sizes can be height and width."""
    return sum(length == -1 or length > 1 for length in shape[1:]) >= 2 and shape[1:3] != (1, 1)


_KINDS: tuple[tuple[str, Callable[[Sequence[Shape]], bool]], ...] = (
    ("key points of one person (MoveNet)", _is_single_pose),
    ("key points of several people (MoveNet)", _is_multi_pose),
    ("landmarks, the coordinates of points of a face, hand or body", _are_landmarks),
    ("boxes with key points at anchors, as MediaPipe's palm and pose detectors do", _are_anchor_points),
    ("box offsets and class scores at anchors that are not in the file (SSD, RetinaNet, DETR)", _are_anchor_classes),
    ("boxes, classes and scores in the layout of torchvision or MMDetection", _is_nms_of_others),
    ("grids of a detector or key point network before decoding, or masks", _are_grids),
    ("a map of values, as segmentation, depth or image networks do", _is_one_map),
    ("a sequence of characters, as text recognition does", _is_text),
)
