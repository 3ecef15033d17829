"""Protocols of a labelled dataset, as metrics need it; ``edgecnn.data.Dataset`` implements them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edgecnn.task_names import TaskName
from edgecnn.types import Float32, Image, Int64


class GroundTruthBoxes(Protocol):
    """Boxes as in ``edgecnn.data.Boxes``: xyxy (n, 4), class_id (n,), and crowd (n,), area (n,) or None."""

    @property
    def xyxy(self) -> Float32:
        """Corners in pixels."""
        ...

    @property
    def class_id(self) -> Int64:
        """Class of each box."""
        ...

    @property
    def crowd(self) -> Any:
        """Boxes that are ignored: missing them is no error, detecting them is no false positive."""
        ...

    @property
    def corners(self) -> Any:
        """Corners (n, 4, 2) of rotated boxes; None where boxes are upright."""
        ...

    @property
    def area(self) -> Float32 | None:
        """Area of the object in pixels, which may be less than that of its box."""
        ...


class GroundTruthSample(Protocol):
    """One image with its ground truth."""

    @property
    def name(self) -> str:
        """The name used in messages."""
        ...

    @property
    def read(self) -> Callable[[], Image]:
        """Reads the image."""
        ...

    @property
    def label(self) -> int | None:
        """True class, for classification."""
        ...

    @property
    def labels(self) -> frozenset[int] | None:
        """True labels, for multi-label classification."""
        ...

    @property
    def unlabelled(self) -> frozenset[int]:
        """Classes that this image may show without a label: detections of them are ignored."""
        ...

    @property
    def value(self) -> float | None:
        """True value, for regression."""
        ...

    @property
    def original(self) -> Callable[[], Image] | None:
        """Reads the image that was degraded to the one of ``read``, for restoration."""
        ...

    @property
    def boxes(self) -> GroundTruthBoxes | None:
        """True boxes, for detection."""
        ...

    @property
    def mask(self) -> Callable[[], Image] | None:
        """Reads the true class of each pixel, for segmentation."""
        ...

    @property
    def points(self) -> Float32 | None:
        """True key points (n, K, 3) of the objects in ``boxes``: x, y and visibility, for pose."""
        ...


class GroundTruthDataset(Protocol):
    """Labelled samples of one task."""

    @property
    def task(self) -> TaskName:
        """What the samples have ground truth for."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def unlabelled(self) -> frozenset[int]:
        """Classes that are not labelled in any image."""
        ...

    @property
    def samples(self) -> Sequence[GroundTruthSample]:
        """The images with their ground truth."""
        ...
