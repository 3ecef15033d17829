"""Loads the segmentations of a COCO file as masks: polygons and run-length encodings, drawn by pycocotools."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.data.formats import coco
from edgecnn.data.formats.coco import evidence, splits
from edgecnn.data.formats.coco_record import Categories, CocoImage, number
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.labels import BACKGROUND
from edgecnn.system_errors import missing_extra
from edgecnn.types import NO_CLASS, Image

__all__ = ["evidence", "load", "splits"]


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples with masks: class 0 is the background, the categories follow; crowds do not count.

    Raises ``InputError`` where no annotation has a segmentation, ``MissingExtraError`` without pycocotools.
    """
    tool = _masks()
    # a list of classes may already begin with the background, as the loaded dataset has it
    labels = labels[1:] if labels and labels[0] == BACKGROUND else labels
    found = coco.load(path, split, labels, partial(_with_mask, tool))
    if not any(sample.mask for sample in found.samples):
        raise InputError(f"no annotation of {path} has a segmentation", "name a file with polygons or run-length encodings")
    return dataclasses.replace(found, task="segment", labels=(BACKGROUND, *found.labels))


def _with_mask(tool: Any, sample: Sample, image: CocoImage, categories: Categories, size: tuple[int, int]) -> Sample:
    shapes = []
    for _, one in image.annotations:
        category = categories.find(one.get("category_id"))
        if category is not None and one.get("segmentation"):
            crowd = bool(number(one.get("iscrowd") or 0))
            shapes.append((number(one.get("area")) or 0.0, NO_CLASS if crowd else category + 1, one["segmentation"]))
    # the largest first: what lies on a table is drawn over it
    shapes.sort(key=lambda shape: -shape[0])
    drawn = partial(_draw, tool, tuple(shape[1:] for shape in shapes), size, sample.name)
    return dataclasses.replace(sample, boxes=None, mask=drawn)


def _draw(tool: Any, shapes: tuple[tuple[int, Any], ...], size: tuple[int, int], name: str) -> Image:
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    for class_id, shape in shapes:
        try:
            encoded = shape if isinstance(shape, dict) and isinstance(shape.get("counts"), str) else None
            encoded = encoded or tool.merge(_encoded(tool, shape, height, width))
            covered = tool.decode(encoded)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise InputError(f"{name}: a segmentation can't be drawn ({error})", "correct the annotation file") from error
        if covered.shape != mask.shape:
            raise InputError(
                f"{name}: a segmentation has the size {covered.shape}, not {mask.shape}", "correct the annotation file"
            )
        mask[covered > 0] = class_id
    return mask


def _encoded(tool: Any, shape: Any, height: int, width: int) -> Any:
    found = tool.frPyObjects(shape, height, width)
    return found if isinstance(found, list) else [found]


def _masks() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise missing_extra(error, "pycocotools", "measure") from error
    return mask
