"""Makes a dataset of single objects from one with boxes: a square crop for each box, by class or by identity."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.tasks import find
from edgecnn.types import Boxes, Float32, Image

MARGIN = 0.1  # added around a box, as a share of its longer side
LEAST_SIDE = 12  # pixels of the longer side; smaller objects are left out


def crops(dataset: Dataset, by: str) -> Dataset:
    """One sample for each box that is no crowd box and at least 12 pixels long: its square crop, labelled ``by`` class or identity.

    An identity is that of a track: the same object in several images of one group. Raises ``InputError`` where the dataset has no
    boxes, or no identities.
    """
    if not find(dataset.task).has_boxes:
        raise InputError(f"crops={by} needs boxes, but {dataset.name} has none", "leave crops= out")
    names: dict[str, int] = {} if by == "identity" else {name: index for index, name in enumerate(dataset.labels)}
    samples = [crop for sample in dataset.samples if sample.boxes is not None for crop in _crops(sample, sample.boxes, by, names)]
    if not samples and by == "identity":
        raise InputError(f"crops=identity needs tracks, but {dataset.name} has none", "use crops=class")
    labels = tuple(names) if by == "identity" else dataset.labels
    return dataclasses.replace(dataset, task="classify", labels=labels, samples=samples)


def _crops(sample: Sample, boxes: Boxes, by: str, names: dict[str, int]) -> list[Sample]:
    if by == "identity" and boxes.identity is None:
        return []
    found = []
    for index, box in enumerate(boxes.xyxy):
        crowd = boxes.crowd is not None and bool(boxes.crowd[index])
        if crowd or float((box[2:] - box[:2]).max()) < LEAST_SIDE:
            continue
        if by == "class":
            label = int(boxes.class_id[index])
        else:
            assert boxes.identity is not None
            label = names.setdefault(f"{sample.group}/{boxes.identity[index]}", len(names))
        read = partial(_read, sample, box)
        found.append(Sample(f"{sample.name}/{index}", read, label, group=sample.group, image_id=sample.image_id))
    return found


def _read(sample: Sample, box: Float32) -> Image:
    return square_crop(sample.read(), box)


def square_crop(image: Image, box: Float32) -> Image:
    """The square around ``box`` (4,) xyxy with a margin; what lies outside of the image repeats its border."""
    middle, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()) * (1 + 2 * MARGIN)
    left, top = (round(float(value - side / 2)) for value in middle)
    steps = np.arange(max(round(side), 1))
    rows, columns = (np.clip(start + steps, 0, size - 1) for start, size in ((top, image.shape[0]), (left, image.shape[1])))
    return np.ascontiguousarray(image[rows][:, columns])
