"""Example images of each transformation at its levels, as a strip for a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.data import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.trust.invariance.dataset import transformed
from edgecnn.trust.invariance.transformation import Transformation
from edgecnn.types import Image

MOST = 8  # images of a strip: levels in between are left out
HEIGHT = 104  # pixels in the page; drawn larger where the image is, so that screens with a high resolution stay sharp
DRAWN = 208
QUALITY = 80
BOX = (60, 60, 230)  # BGR


@dataclass(frozen=True, slots=True)
class Example:
    """A data URI with its size in the page, and the level under it."""

    uri: str
    width: int
    height: int
    words: str


def example_strip(dataset: Dataset, own: Transformation, levels: Sequence[float], seed: int) -> list[Example]:
    """One image at some of the levels, with its boxes; [] where the image can't be read or the renderer makes the change."""
    if own.group == "scene":
        return []
    first = dataset.pick([_telling(dataset)])
    try:
        return [_example(transformed(first, own, level, seed=seed).samples[0], own.level_text(level)) for level in _some(levels)]
    except InputError:
        return []


def _telling(dataset: Dataset, looked_at: int = 12) -> int:
    """The image with the most objects among the first ones: an empty one shows nothing."""
    counts = [
        0 if boxes is None else len(boxes)
        for boxes in (dataset.samples[index].boxes for index in range(min(looked_at, len(dataset))))
    ]
    return int(np.argmax(counts)) if counts else 0


def _some(levels: Sequence[float]) -> list[float]:
    """At most ``MOST`` levels, the first and the last among them."""
    if len(levels) <= MOST:
        return list(levels)
    return [levels[index] for index in np.linspace(0, len(levels) - 1, MOST).round().astype(int).tolist()]


def _example(sample: Sample, words: str) -> Example:
    image = sample.read()
    factor = DRAWN / image.shape[0]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    drawn: Image = np.asarray(cv2.resize(image, (max(round(image.shape[1] * factor), 1), DRAWN), interpolation=how), np.uint8)
    if sample.boxes is not None:
        crowd = np.zeros(len(sample.boxes), bool) if sample.boxes.crowd is None else sample.boxes.crowd
        for box in (sample.boxes.xyxy[~crowd] * factor).round().astype(int).tolist():
            cv2.rectangle(drawn, (box[0], box[1]), (box[2], box[3]), BOX, 2)
    done, data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise InputError("an image can't be written as JPEG", "free some memory")
    uri = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
    return Example(uri, round(drawn.shape[1] * HEIGHT / DRAWN), HEIGHT, words)
