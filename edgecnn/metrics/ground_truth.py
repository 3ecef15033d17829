"""What metrics need to know of a dataset, as protocols: any labelled samples will do, `edgecnn.data` is one source of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edgecnn.card import Task
from edgecnn.types import Float32, Image, Int64


class TrueBoxes(Protocol):
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
        """Boxes that are neither to be found nor false when found."""
        ...

    @property
    def area(self) -> Float32 | None:
        """Area of the object itself."""
        ...


class TrueSample(Protocol):
    """One image with its truth."""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        ...

    @property
    def read(self) -> Callable[[], Image]:
        """Gives the image."""
        ...

    @property
    def label(self) -> int | None:
        """True class, for classification."""
        ...

    @property
    def unlabelled(self) -> frozenset[int]:
        """Classes that this image may show without a label: what is found of them neither counts nor is held against the model."""
        ...

    @property
    def value(self) -> float | None:
        """True value, for regression."""
        ...

    @property
    def boxes(self) -> TrueBoxes | None:
        """True boxes, for detection."""
        ...


class TrueDataset(Protocol):
    """Samples of one task."""

    @property
    def task(self) -> Task:
        """Classify, detect or regress."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def unlabelled(self) -> frozenset[int]:
        """Classes that are labelled in none of the images."""
        ...

    @property
    def samples(self) -> Sequence[TrueSample]:
        """The images with their truth."""
        ...
