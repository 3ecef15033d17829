"""What an attack works on: an image at the size of the model's input, and what in it the model should get right."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.card import ModelCard
from edgecnn.data import Boxes, Sample
from edgecnn.errors import InputError
from edgecnn.metrics.classmap import ClassMap
from edgecnn.preprocess import Geometry, resize_into
from edgecnn.types import Float32, Image

ATTACKED_TASKS = ("classify", "detect")


@dataclass(frozen=True, slots=True, eq=False)
class AttackTarget:
    """An image to attack, the ``index``-th of its dataset.

    ``pixels`` (h, w, 3 or 1) uint8 BGR or gray, as the model is, at the size of the input: files of one network may want RGB or BGR.
    ``own`` (m, C) bool: the classes of the model that are right for each of the m true instances, the whole image or an object; ``xyxy``
    (m, 4) float32 their boxes in these pixels, (0, 4) for whole images. ``content`` (h, w, 1) bool: not the bars of a letterbox, which
    nobody can change. ``sample`` is the ground truth in these pixels, which it reads.
    """

    index: int
    pixels: Image
    own: NDArray[np.bool_]
    xyxy: Float32
    sample: Sample
    content: NDArray[np.bool_]


def check_task(card: ModelCard, name: str) -> None:
    """Raise ``InputError`` for a model that can't be attacked here: of another task, or whose input is no image."""
    if card.task not in ATTACKED_TASKS or card.preprocess.tensors:
        raise InputError(
            f"{name} is a model to {card.task}, for which there is no attack",
            "name a classifier or a detector of images",
        )


def target_of(index: int, sample: Sample, card: ModelCard, classes: ClassMap) -> AttackTarget:
    """The image of ``sample`` as the model gets it; raises ``InputError`` where it can't be read."""
    preprocess = card.preprocess
    prepared = np.empty((*preprocess.size, preprocess.channels), np.uint8)
    place = resize_into(sample.read(), preprocess, prepared)
    pixels = np.ascontiguousarray(prepared[..., ::-1]) if preprocess.color == "rgb" else prepared
    boxes = None if sample.boxes is None else _moved(sample.boxes, place)
    moved = dataclasses.replace(sample, read=lambda: to_bgr(pixels), boxes=boxes, concepts=None)
    if card.task == "classify":
        wanted, xyxy = np.array([-1 if sample.label is None else sample.label]), np.zeros((0, 4), np.float32)
    else:
        assert boxes is not None
        counts = np.ones(len(boxes), np.bool_) if boxes.crowd is None else ~np.asarray(boxes.crowd, np.bool_)
        wanted, xyxy = boxes.class_id[counts], boxes.xyxy[counts]
    own = (wanted[:, None] == classes.dataset_class[None]) & (classes.dataset_class >= 0)
    return AttackTarget(index, pixels, own, xyxy, moved, content_of(place, preprocess.size))


def content_of(place: Geometry, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels (h, w, 1) of an input of ``size`` are those of the image."""
    content = np.zeros((*size, 1), np.bool_)
    left, top = round(place.offset_x), round(place.offset_y)
    width, height = round(place.width * place.scale_x), round(place.height * place.scale_y)
    content[max(top, 0) : top + height, max(left, 0) : left + width] = True
    return content


def to_bgr(pixels: Image) -> Image:
    """Pixels (h, w, 3 or 1) as (h, w, 3) BGR; a model gets the same pixels back from it."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _moved(boxes: Boxes, place: Geometry) -> Boxes:
    scale = np.array([place.scale_x, place.scale_y], np.float32)
    offset = np.array([place.offset_x, place.offset_y], np.float32)
    return dataclasses.replace(
        boxes,
        xyxy=place.to_input(boxes.xyxy).astype(np.float32),
        area=None if boxes.area is None else boxes.area * scale.prod(),
        corners=None if boxes.corners is None else boxes.corners * scale + offset,
    )
