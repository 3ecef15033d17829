"""Loads the key points of a COCO file (https://cocodataset.org/#format-data): x, y and visibility of each, for each object."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.data.formats import coco
from edgecnn.data.formats.coco import evidence, splits
from edgecnn.data.formats.coco_files import choose
from edgecnn.data.formats.coco_record import Categories, CocoImage, Record, number, read_record
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.types import Boxes

__all__ = ["evidence", "load", "splits"]


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples with boxes and key points; the labels are the names of the key points of the only category that has some.

    Raises ``InputError`` where no category has key points, several have different ones, or ``labels`` are not as many.
    """
    names = _names(read_record(choose(path, split)[0]), path)
    if labels and len(labels) != len(names):
        raise InputError(f"{len(labels)} names for the {len(names)} key points of {path}", "give one name for each key point")
    found = coco.load(path, split, None, partial(_with_points, len(names)))
    return dataclasses.replace(found, task="pose", labels=labels or names)


def _names(record: Record, path: Path) -> tuple[str, ...]:
    found = {tuple(map(str, one["keypoints"])) for one in record["categories"] if isinstance(one, dict) and one.get("keypoints")}
    if len(found) != 1:
        problem = f"{len(found)} different lists of key points" if found else "no category with key points"
        raise InputError(f"{path} has {problem}", "name a file such as person_keypoints_val2017.json")
    return found.pop()


def _with_points(keys: int, sample: Sample, image: CocoImage, categories: Categories, size: tuple[int, int]) -> Sample:
    rows = [row for _, one in image.annotations if (row := _row(one, keys)) is not None]
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return dataclasses.replace(
        sample,
        boxes=Boxes(
            boxes,
            np.zeros(len(rows), np.int64),
            None,
            np.array([row[3] for row in rows], np.bool_),
            np.array([row[2] for row in rows], np.float32),
        ),
        points=np.array([row[1] for row in rows], np.float32).reshape(-1, keys, 3),
    )


def _row(one: Record, keys: int) -> tuple[list[float], Any, float, bool] | None:
    """Box xyxy, key points (K, 3), area and crowd of an annotation; None for one without a box or key points."""
    bbox, flat = one.get("bbox"), one.get("keypoints")
    box = [number(value) for value in bbox] if isinstance(bbox, list) else []
    values = [number(value) for value in flat] if isinstance(flat, list) else []
    if len(box) != 4 or len(values) != 3 * keys or None in box or None in values:
        return None
    x, y, w, h = (float(value) for value in box if value is not None)
    area = number(one.get("area")) or 0.0
    points = np.array(values, np.float32).reshape(keys, 3)
    return [x, y, x + w, y + h], points, area if area > 0 else w * h, bool(number(one.get("iscrowd") or 0))
