"""The decoder of rotated boxes as a few lines of NumPy; a line for each box has its four corners."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.nms import MAX_CANDIDATES, NmsOptions
from edgecnn.postprocess.yolo_obb import class_axis
from edgecnn.rotated import EMPTY
from edgecnn.runtime.snippets.python_boxes import Named
from edgecnn.types import TensorSpec


def yolo_obb(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Centre, size, class scores and angle; NMS compares boxes as normal distributions (arXiv:2106.06072)."""
    axis = class_axis(outputs[0].shape, len(card.labels)) if len(outputs) == 1 else None
    if axis is None:
        return []
    rows, columns = card.preprocess.size
    options = NmsOptions.from_card(card.decode.options)
    rival = "kept" if options.class_agnostic else "[k for k in kept if class_id[k] == class_id[i]]"
    return [
        f"table = {named[outputs[0].name]}[0]{'' if axis == 2 else '.T'}  # centre, size, class scores, angle",
        "scores, boxes = table[:, 4:-1], table[:, [0, 1, 2, 3, -1]].astype(float)",
        "if boxes[:, :2].max() <= 2:  # in 0..1 of the input",
        f"    boxes[:, :4] *= [{columns}, {rows}, {columns}, {rows}]",
        "best = np.argsort(-scores.max(1), kind='stable')",
        f"best = best[scores[best].max(1) >= {options.score_threshold}][:{MAX_CANDIDATES}]",
        "score, class_id = scores[best].max(1), scores[best].argmax(1)",
        "x, y, w, h, angle = boxes[best].T",
        "cos, sin = np.cos(angle), np.sin(angle)",
        "a, b = (w * w * cos**2 + h * h * sin**2) / 12, (w * w * sin**2 + h * h * cos**2) / 12  # as normal distributions",
        "c = (w * w - h * h) / 12 * cos * sin",
        "kept = []",
        "for i in range(len(best)):",
        f"    j = np.array({rival}, int)",
        "    aa, bb, cc, dx, dy = a[i] + a[j], b[i] + b[j], c[i] + c[j], x[i] - x[j], y[i] - y[j]",
        "    whole = aa * bb - cc**2",
        f"    far = ((aa * dy**2 + bb * dx**2) / 4 - cc * dx * dy / 2) / (whole + {EMPTY})",
        "    parts = (a[i] * b[i] - c[i] ** 2).clip(0) * (a[j] * b[j] - c[j] ** 2).clip(0)",
        f"    far = far + np.log(whole / (4 * np.sqrt(parts) + {EMPTY}) + {EMPTY}) / 2",
        f"    if not (1 - np.sqrt(1 - np.exp(-far.clip({EMPTY}, 100)) + {EMPTY}) >= {options.iou_threshold}).any():",
        "        kept.append(i)",
        f"for i in kept[:{options.max_detections}]:",
        "    across, down = np.array([cos[i], sin[i]]) * w[i] / 2, np.array([-sin[i], cos[i]]) * h[i] / 2",
        "    corners = np.array([-across - down, across - down, across + down, down - across]) + [x[i], y[i]]",
        "    corners = (corners - [left, top]) / [width / image.shape[1], height / image.shape[0]]  # back to pixels of the image",
        "    print(f'{score[i]:.5f} {labels[class_id[i]]}', *(f'{side:.2f}' for side in corners.reshape(-1)))",
    ]
