"""Draws predictions on frames: boxes with captions, panels of classes or values, trails, lines and zones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from edgecnn.runtime.draw.boxes import draw_boxes
from edgecnn.runtime.draw.captions import Box, caption_box, class_color, draw_caption, in_way
from edgecnn.runtime.draw.masks import draw_mask
from edgecnn.runtime.draw.overlays import LINE, ZONE, caption, caption_place, draw_line, draw_trail, draw_zone
from edgecnn.runtime.draw.panels import draw_classes, draw_labels, draw_neighbours, draw_tensors, draw_values
from edgecnn.runtime.draw.poses import draw_poses
from edgecnn.runtime.draw.waveform import draw_waveform
from edgecnn.task_names import TaskName
from edgecnn.tasks import for_prediction
from edgecnn.types import Float32, Image, Overlay, Prediction, Result

_MIN_SIZE = 320  # smaller images are enlarged, so that captions are readable
# By the task that a prediction belongs to. Each gets a canvas on which it may draw, the prediction, the labels (None: no captions)
# and the factor by which the canvas is larger than the image, and returns the canvas, or another image to show instead.
Drawing = Callable[[Image, Any, Sequence[str] | None, int], Image]
DRAWINGS: Mapping[TaskName, Drawing] = {
    "classify": draw_classes,
    "detect": draw_boxes,
    "regress": draw_values,
    "embed": draw_neighbours,
    "restore": lambda canvas, found, labels, factor: found.image,
    "signal": draw_waveform,
    "multilabel": draw_labels,
    "raw": draw_tensors,
    "segment": draw_mask,
    "pose": draw_poses,
}


def draw(
    image: Image,
    prediction: Prediction,
    labels: Sequence[str],
    trails: Mapping[int, Float32] | None = None,
    overlays: Sequence[Overlay] = (),
    *,
    captions: bool = True,
) -> Image:
    """Draw the prediction, trails and overlays on a copy of ``image`` (H, W, 3) uint8 BGR.

    Boxes without ``captions`` have their colour only; a score of NaN, that of ground truth, is not shown.
    An image whose longer side is below 320 pixels is enlarged by an integer factor.
    """
    factor = max(math.ceil(_MIN_SIZE / max(image.shape[:2])), 1)
    if factor > 1:
        canvas = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    else:
        canvas = image.copy()
    _draw_shapes(canvas, overlays, factor)
    _draw_trails(canvas, trails or {}, factor)
    canvas = DRAWINGS[for_prediction(prediction).name](canvas, prediction, labels if captions else None, factor)
    _draw_captions(canvas, overlays, factor)
    return canvas


class Painter:
    """Draws results with the labels of one model and caches the last drawing. Not thread-safe (see ``SharedPainter``)."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._last: tuple[Result, Image] | None = None

    def paint(self, result: Result) -> Image:
        """Return the annotated frame, which callers must not modify."""
        if self._last is None or self._last[0] is not result:
            self._last = result, draw(result.frame.image, result.prediction, self._labels, result.trails, result.overlays)
        return self._last[1]


def _draw_shapes(canvas: Image, overlays: Sequence[Overlay], factor: int) -> None:
    for overlay in sorted(overlays, key=lambda overlay: not overlay.closed):  # lines above zones
        (draw_zone if overlay.closed else draw_line)(canvas, overlay, factor)


def _draw_captions(canvas: Image, overlays: Sequence[Overlay], factor: int) -> None:
    """Draw the captions of lines and zones; each is moved below those that it would overlap."""
    taken: list[Box] = []
    for overlay in overlays:
        left, top = caption_place(overlay, factor)
        for _ in taken:
            own = caption_box(canvas, caption(overlay), left, top)
            top = max((box[1] + box[3] + own[3] for box in in_way(own, taken)), default=top)
        taken.append(caption_box(canvas, caption(overlay), left, top))
        draw_caption(canvas, caption(overlay), left, top, ZONE if overlay.closed else LINE)


def _draw_trails(canvas: Image, trails: Mapping[int, Float32], factor: int) -> None:
    """Draw each trail in the colour of its track, so that trails that cross can be distinguished."""
    for track, places in trails.items():
        draw_trail(canvas, places, class_color(track), factor)
