"""Changes of an image that a network which looks at the object does not mind, and those that take the object away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.trust.shortcuts.erase import around, blended, erased, soft, with_margin
from edgecnn.trust.shortcuts.subject import Subject
from edgecnn.types import Float32, Image

CORNER, BORDER, CENTRE = 0.25, 0.12, 0.6  # of the side of the image
MOST_COVERED = 0.7  # of the image: objects that fill more leave no background to change
TRIES = 30  # random places of a moved object
APART = 0.25  # share of its box that the object may still cover after it was moved


@dataclass(slots=True)
class Donors:
    """What another image may get, by class: backgrounds (images with their objects erased), and places (centres) of objects."""

    images: dict[int, list[Image]] = field(default_factory=dict)
    places: dict[int, list[Float32]] = field(default_factory=dict)

    def add(self, subject: Subject) -> None:
        """Take the background and the places of a subject."""
        background = erased(subject.image, around(subject.boxes, subject.image.shape))
        self.images.setdefault(min(subject.sample.classes, default=-1), []).append(background)
        if subject.sample.boxes is not None:
            for box, label in zip(subject.sample.boxes.xyxy, subject.sample.boxes.class_id.tolist(), strict=True):
                self.places.setdefault(label, []).append((box[:2] + box[2:]) / 2)

    def background(self, classes: frozenset[int], random: np.random.Generator) -> Image | None:
        """A background of an image of another class where there is one, else of any image; None without donors."""
        pool = _others(self.images, classes)
        return pool[int(random.integers(len(pool)))] if pool else None

    def place(self, classes: frozenset[int], random: np.random.Generator) -> Float32 | None:
        """Where an object of another class was, else one of any class; None without donors."""
        pool = _others(self.places, classes)
        return pool[int(random.integers(len(pool)))] if pool else None


Kept = TypeVar("Kept")


def _others(found: Mapping[int, list[Kept]], classes: frozenset[int]) -> list[Kept]:
    other = [one for label, entries in found.items() if label not in classes for one in entries]
    return other or [one for entries in found.values() for one in entries]


Apply = Callable[[Subject, Donors, np.random.Generator], "Subject | None"]


@dataclass(frozen=True, slots=True)
class ImageChange:
    """One kind of change: ``apply`` gives the changed image with its ground truth, None where it does not fit the image.

    ``truth``: the class is "kept", so that the answer should stay, or "gone", so that nothing should tell it any more.
    ``where`` completes the sentence "the network uses ...". ``needs_boxes``: it can't be applied without boxes. ``one``: only the
    largest object of an image is changed. ``doubt`` is why another answer alone proves no shortcut, "" where it does.
    """

    name: str
    title: str
    truth: Literal["kept", "gone"]
    where: str
    apply: Apply
    needs_boxes: bool = True
    one: bool = False
    doubt: str = ""


def largest(boxes: Float32) -> int:
    """The index of the largest box."""
    return int((boxes[:, 2:] - boxes[:, :2]).prod(1).argmax())


def _kept(subject: Subject) -> NDArray[np.bool_] | None:
    """The pixels of the objects; None where they leave too little background."""
    kept = around(subject.boxes, subject.image.shape)
    return kept if len(subject.boxes) and kept.mean() <= MOST_COVERED else None


def _on(background: Image, subject: Subject, kept: NDArray[np.bool_]) -> Subject:
    return subject.changed(blended(subject.image, background, soft(kept, subject.boxes)))


def _swapped(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    kept = _kept(subject)
    background = donors.background(subject.sample.classes, random)
    return None if kept is None or background is None else _on(background, subject, kept)


def _blurred(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    kept = _kept(subject)
    if kept is None:
        return None
    without = erased(subject.image, kept)
    return _on(np.asarray(cv2.GaussianBlur(without, (0, 0), max(kept.shape) / 12), np.uint8), subject, kept)


def _uniform(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    kept = _kept(subject)
    if kept is None:
        return None
    color = subject.image[~kept].mean(0).round().astype(np.uint8)
    return _on(np.broadcast_to(color, subject.image.shape), subject, kept)


def _corners(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    left, top, right, bottom = subject.content
    high, wide = round((bottom - top) * CORNER), round((right - left) * CORNER)
    hole = np.zeros(subject.image.shape[:2], np.bool_)
    for rows in (slice(top, top + high), slice(bottom - high, bottom)):
        for columns in (slice(left, left + wide), slice(right - wide, right)):
            hole[rows, columns] = True
    return _beside_objects(subject, hole)


def _borders(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    left, top, right, bottom = subject.content
    high, wide = round((bottom - top) * BORDER), round((right - left) * BORDER)
    hole = np.zeros(subject.image.shape[:2], np.bool_)
    hole[top:bottom, left:right] = True
    hole[top + high : bottom - high, left + wide : right - wide] = False
    return _beside_objects(subject, hole)


def _beside_objects(subject: Subject, hole: NDArray[np.bool_]) -> Subject | None:
    hole &= ~around(subject.boxes, subject.image.shape)
    return subject.changed(erased(subject.image, hole)) if hole.any() else None


def _removed(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    hole = around(subject.boxes, subject.image.shape)
    return None if hole.mean() > MOST_COVERED else subject.changed(erased(subject.image, hole))


def _centre(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    left, top, right, bottom = subject.content
    high, wide = round((bottom - top) * (1 - CENTRE) / 2), round((right - left) * (1 - CENTRE) / 2)
    hole = np.zeros(subject.image.shape[:2], np.bool_)
    hole[top + high : bottom - high, left + wide : right - wide] = True
    return subject.changed(erased(subject.image, hole))


def _moved(subject: Subject, donors: Donors, random: np.random.Generator) -> Subject | None:
    """The largest object where one of another class was in another image, its old place erased; other objects are not covered.

    Places are taken from the dataset, because a network may not know objects at places where there never was one.
    """
    boxes = subject.sample.boxes
    if boxes is None or not len(subject.boxes):
        return None
    counts = np.flatnonzero(np.ones(len(boxes), np.bool_) if boxes.crowd is None else ~boxes.crowd)
    index = int(counts[largest(subject.boxes)])
    box = boxes.xyxy[index]
    shift = _shift(subject, index, donors, random)
    if shift is None:
        return None
    own = box[None]
    kept = around(own, subject.image.shape)
    empty = erased(subject.image, kept)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    size = subject.image.shape[1::-1]
    share = cv2.warpAffine(soft(kept, own)[..., 0], matrix, size, flags=cv2.INTER_NEAREST)
    front = cv2.warpAffine(subject.image, matrix, size, flags=cv2.INTER_NEAREST)
    xyxy = boxes.xyxy.copy()
    xyxy[index] += np.array([*shift, *shift], np.float32)
    return subject.changed(blended(np.asarray(front, np.uint8), empty, np.asarray(share, np.float32)[..., None]), xyxy)


def _shift(subject: Subject, index: int, donors: Donors, random: np.random.Generator) -> tuple[int, int] | None:
    """Whole pixels to move box ``index`` by within the content; None where no place was found."""
    boxes = subject.sample.boxes
    assert boxes is not None
    box, others = boxes.xyxy[index], np.delete(boxes.xyxy, index, 0)
    left, top, right, bottom = subject.content
    low, high = np.array([left, top]) - box[:2], np.array([right, bottom]) - box[2:]
    sides = box[2:] - box[:2]
    for _ in range(TRIES):
        place = donors.place(frozenset({int(boxes.class_id[index])}), random)
        if place is None:
            return None
        shift = np.trunc(np.clip(place - (box[:2] + box[2:]) / 2, low, high))
        covered = np.maximum(sides - np.abs(shift), 0).prod()
        if covered <= APART * sides.prod() and not _covers(box + np.tile(shift, 2), others):
            return int(shift[0]), int(shift[1])
    return None


def _covers(box: Float32, others: Float32) -> bool:
    grown = with_margin(box[None])[0]
    overlap = np.minimum(grown[2:], others[:, 2:]) - np.maximum(grown[:2], others[:, :2])
    return bool((overlap > 0).all(1).any())


CENTRE_MASKED = "centre-masked"
UNREAL = "no real image looks like that"
CHANGES: Sequence[ImageChange] = (
    ImageChange("background-swapped", "background taken from an image of another class", "kept", "the background", _swapped),
    ImageChange("background-blurred", "background blurred", "kept", "details of the background", _blurred, doubt=UNREAL),
    ImageChange("background-uniform", "background filled with one colour", "kept", "the background", _uniform, doubt=UNREAL),
    ImageChange("corners-masked", "corners erased", "kept", "the corners", _corners, needs_boxes=False),
    ImageChange("borders-masked", "borders erased", "kept", "the borders", _borders, needs_boxes=False),
    ImageChange(
        "object-moved", "object moved to where one of another class was", "kept", "the place of the object", _moved, one=True
    ),
    ImageChange("object-removed", "object removed", "gone", "what is left without the object", _removed),
    ImageChange(
        CENTRE_MASKED,
        "centre erased",
        "gone",
        "what is around the centre",
        _centre,
        needs_boxes=False,
        doubt="the object may be larger",
    ),
)
