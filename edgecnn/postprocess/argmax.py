"""Decodes semantic segmentation: a score of each class for each place, or the class itself."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.card import ModelCard
from edgecnn.errors import ArtifactError
from edgecnn.postprocess.tensors import unexpected_outputs
from edgecnn.types import NO_CLASS, Array, Image, Mask, Tensors


def argmax(outputs: Tensors, card: ModelCard) -> Mask:
    """Scores (1, C, h, w) or (1, h, w, C) of C labels, or class ids (1, h, w) of integers, with 1 as another axis or none.

    Scores are interpolated to the size of the input before the highest is taken; the mask is in pixels of the input. One label
    alone has a logit, which is the class where it is above 0. Of several outputs, the largest that fits is used: segmentation networks
    of torchvision have an auxiliary one, named "aux". Raises ``ArtifactError`` for outputs of another shape, and for a class without
    a label.
    """
    classes = len(card.labels)
    found = [maps for name, array in outputs.items() if name != "aux" and (maps := _maps(array, classes)) is not None]
    if not found:
        ids = [array for array in outputs.values() if _is_map_of_ids(array)]
        if len(ids) != 1:
            raise unexpected_outputs(
                "argmax",
                f"a map of {classes} scores, one for each label, or a map of class ids",
                outputs,
                "correct --labels, or name another decoder with --decode",
            )
        return Mask(_resized_ids(_class_ids(ids[0], classes), card.preprocess.size))
    maps = max(found, key=lambda each: each.size)
    return Mask(_highest(maps, card.preprocess.size))


def _maps(array: Array, classes: int) -> Array | None:
    """Scores (C, h, w), None for another tensor; without axes of 1 where they are not needed."""
    if array.ndim != 4 or array.shape[0] != 1 or array.dtype.kind != "f":
        return None
    if array.shape[1] == classes and not (array.shape[3] == classes and array.shape[2] == array.shape[1]):
        return np.asarray(array[0])
    return np.moveaxis(array[0], -1, 0) if array.shape[3] == classes else None


def _highest(maps: Array, size: tuple[int, int]) -> Image:
    """The class (height, width) with the highest score, one class at a time: all of them at full size would need much memory."""
    if len(maps) == 1:
        return (_enlarged(maps[0], size) > 0).astype(np.uint8)
    best = _enlarged(maps[0], size)
    found = np.zeros(size, np.uint8)
    for class_id in range(1, len(maps)):
        score = _enlarged(maps[class_id], size)
        more = score > best
        found[more] = class_id
        np.maximum(best, score, out=best)
    return found


def _enlarged(plane: Array, size: tuple[int, int]) -> Array:
    plane = np.ascontiguousarray(plane, np.float32)
    if plane.shape == size:
        return np.array(plane)
    # by pixel centres, as interpolate(align_corners=False) of PyTorch does
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR))


def _is_map_of_ids(array: Array) -> bool:
    long = [side for side in array.shape if side > 1]
    return len(long) == 2 and array.ndim <= 4


def _class_ids(array: Array, classes: int) -> Image:
    ids = array.reshape([side for side in array.shape if side > 1])
    if not np.isfinite(ids).all() or (ids != np.rint(ids)).any():
        raise ArtifactError(
            "the decoder argmax got a map of numbers that are no class ids",
            "name another decoder with --decode, or correct --labels",
        )
    if not 0 <= ids.min() <= ids.max() < max(classes, 2):
        worst = ids.max() if ids.min() >= 0 else ids.min()
        if worst != NO_CLASS:
            problem = f"the model found class {worst:.0f}, but its {classes} labels are classes 0 to {classes - 1}"
            raise ArtifactError(problem, "correct --labels")
    return ids.astype(np.uint8)


def _resized_ids(ids: Image, size: tuple[int, int]) -> Image:
    if ids.shape == size:
        return ids
    return cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)
