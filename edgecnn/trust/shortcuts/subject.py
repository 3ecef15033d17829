"""One image as the network sees it, of the size of its input, with its ground truth there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard, Preprocess
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.tasks import find
from edgecnn.trust.network_view import network_view
from edgecnn.types import Boxes, Float32, Image

LEAST_SIDE = 4.0  # input pixels: of a smaller object nothing can be said
SEEN = 0.5  # of a box must be in the input, which a crop may cut


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """``image`` (h, w, 3) uint8 BGR of the size of the model's input; ``sample`` is its ground truth, with boxes in input pixels.

    ``content`` is the part that shows the image (left, top, right, bottom), without the padding of a letterbox. Such an image passes
    the model's own resizing unchanged.
    """

    image: Image
    sample: Sample
    content: tuple[int, int, int, int]

    @property
    def boxes(self) -> Float32:
        """The boxes (n, 4) of the objects that count."""
        boxes = self.sample.boxes
        if boxes is None:
            return np.empty((0, 4), np.float32)
        return boxes.xyxy if boxes.crowd is None else boxes.xyxy[~boxes.crowd]

    def changed(self, image: Image, xyxy: Float32 | None = None) -> Subject:
        """The subject with another image, and with other places of all its boxes."""
        sample = self.sample
        if xyxy is not None and sample.boxes is not None:
            sample = dataclasses.replace(sample, boxes=dataclasses.replace(sample.boxes, xyxy=xyxy))
        return Subject(image, sample, self.content)


def subjects(dataset: Dataset, card: ModelCard, skipped: list[str]) -> Iterator[Subject]:
    """Each image of ``dataset`` for the model of ``card``; ``skipped`` gets the names of those that say nothing or can't be read.

    For a classifier an image of a dataset with boxes has the class of its boxes, where they are all of one class.
    """
    for sample in dataset.samples:
        labelled = _labelled(sample) if card.task == "classify" else sample
        try:
            image = None if labelled is None else labelled.read()
        except InputError:
            image = None
        if labelled is None or image is None:
            skipped.append(sample.name)
        else:
            yield subject(labelled, image, card.preprocess)


def check_task(dataset: Dataset, card: ModelCard) -> None:
    """Raise ``InputError`` for a model that neither classifies nor detects, or a dataset that does not say what it should see."""
    if card.task not in ("classify", "detect") or card.preprocess.tensors:
        task = find(card.task)
        raise InputError(
            f"shortcuts are searched in classifiers and detectors, but {card.name} is {task.model}", "name another model"
        )
    if dataset.task not in ("classify", "detect") or (card.task == "detect" and dataset.task != "detect"):
        needed = "classes or boxes" if card.task == "classify" else "boxes"
        raise InputError(
            f"{dataset.name} is a dataset to {dataset.task}, but this model needs one with {needed}", "name another dataset"
        )


def subject(sample: Sample, image: Image, preprocess: Preprocess) -> Subject:
    """The image of ``sample`` resized by the rule of the card, with the boxes that remain in sight."""
    shown, place, (left, top, right, bottom) = network_view(image, preprocess)
    boxes = sample.boxes
    if boxes is not None:
        whole = place.to_input(boxes.xyxy)
        xyxy = np.clip(whole, (left, top, left, top), (right, bottom, right, bottom)).astype(np.float32)
        sides, before = xyxy[:, 2:] - xyxy[:, :2], whole[:, 2:] - whole[:, :2]
        seen = (sides.min(1, initial=np.inf) >= LEAST_SIDE) & (sides.prod(1) >= SEEN * before.prod(1))
        # what is hardly in sight is ignored, so that it is neither missed nor false
        crowd = ~seen if boxes.crowd is None else boxes.crowd | ~seen
        boxes = Boxes(xyxy, boxes.class_id, crowd=crowd)
    own = dataclasses.replace(sample, read=lambda: shown, boxes=boxes, mask=None, points=None, concepts=None)
    return Subject(shown, own, (left, top, right, bottom))


def _labelled(sample: Sample) -> Sample | None:
    """The sample with one class; None where it has none, or boxes of several."""
    if sample.label is not None:
        return sample
    classes = sample.classes
    return dataclasses.replace(sample, label=next(iter(classes))) if len(classes) == 1 else None
