"""One image with its truth, and a dataset of them: the type that every loader gives and every trainer and evaluator takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgecnn.card import Task
from edgecnn.types import Float32, Image, Int64


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """True boxes of one image: xyxy (n, 4) float32 pixels, class_id (n,) int64, identity (n,) int64 or None, crowd (n,) bool or None.

    ``crowd`` marks boxes that are neither to be found nor false when found (COCO iscrowd, VOC difficult).
    """

    xyxy: Float32
    class_id: Int64
    identity: Int64 | None = None
    crowd: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image, read only when asked for, with a label (classification) or boxes (detection).

    ``read()`` gives (H, W, 3) uint8 BGR. ``group`` is what must not be split between training and test (a clip, a patient).
    ``image_id`` is the dataset's own id where it has one.
    """

    name: str
    read: Callable[[], Image]
    label: int | None = None
    boxes: Boxes | None = None
    group: str = ""
    image_id: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a dataset, by file and line."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples of one task with the names of their classes, and the problems that were found while listing them."""

    name: str
    task: Task
    labels: tuple[str, ...]
    samples: Sequence[Sample]
    problems: tuple[Problem, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.samples)
