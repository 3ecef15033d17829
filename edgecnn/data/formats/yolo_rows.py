"""Reads rows of YOLO label files: a class id and a box, a box with key points, or a polygon.

``class cx cy w h`` is a box; ``class cx cy w h`` with k times ``x y`` or ``x y visibility`` after it is a box with key points;
``class x1 y1 x2 y2 x3 y3 ...`` is a polygon, of which the bounding box is used. All are fractions of the image size.
Polygons and key points can have equally many numbers: what the rows of a dataset are is decided once, for all its files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path

from edgecnn.text_files import decode_text

BOX = 4  # numbers of a box
VISIBILITIES = (0.0, 1.0, 2.0)  # not labelled, hidden, visible
# How far a key point may be outside its box, as a fraction of the box, and a box outside the image, as a fraction of the image.
POINT_SLACK, BOX_SLACK = 0.25, 0.02
MOST = 0.5

KeyPoints = tuple[int, int]  # number of points, and 2 or 3 numbers for each
Edges = tuple[float, float, float, float]


class Meaning(Enum):
    """What the numbers after a class id are."""

    BOX = "a box, with or without key points"
    POLYGON = "a polygon"
    AMBIGUOUS = "either a polygon or a box with key points"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of a label file; ``values`` are the numbers after the class id, None where the line is not all numbers."""

    number: int
    text: str
    class_id: float = -1.0
    values: tuple[float, ...] | None = None


def read_rows(file: Path) -> Iterator[LabelRow]:
    """The lines of a label file that are not blank; raises ``OSError`` where it can't be read."""
    for number, line in enumerate(decode_text(file.read_bytes(), "replace").splitlines(), 1):
        text = line.strip()
        if not text:
            continue
        try:
            class_id, *values = (float(word) for word in text.split())
        except ValueError:
            yield LabelRow(number, text)
        else:
            yield LabelRow(number, text, class_id, tuple(values))


@dataclass
class RowRule:
    """What rows mean, by their number of values.

    ``key_points`` is ``kpt_shape`` of data.yaml. ``described``: the dataset has a data.yaml, in which a dataset with key points would
    have said so. ``files`` gives all label files of the dataset; they are read only where a row is more than a box.
    """

    key_points: KeyPoints | None
    described: bool
    files: Callable[[], Iterable[Path]]
    _known: dict[int, Meaning] = field(default_factory=dict)

    def meaning(self, count: int) -> Meaning:
        """What a row with ``count`` numbers after the class id is."""
        if count == BOX:
            return Meaning.BOX
        if count not in self._known:
            self._known[count] = self._decide(count)
        return self._known[count]

    def explain(self, count: int) -> str:
        """Why a row with so many numbers is left out."""
        if self.key_points:
            points, each = self.key_points
            return f"{count + 1} numbers where kpt_shape of data.yaml makes {1 + BOX + points * each}"
        if self.meaning(count) is Meaning.AMBIGUOUS:
            return f"{count + 1} numbers, {Meaning.AMBIGUOUS.value} (kpt_shape in data.yaml decides)"
        return f"{count + 1} numbers instead of class, cx, cy, w, h"

    def _decide(self, count: int) -> Meaning:
        if self.key_points:
            return Meaning.BOX if count == BOX + self.key_points[0] * self.key_points[1] else Meaning.NEITHER
        rows, visible, even, inside = self._evidence
        if visible[count] and visible[count] >= MOST * rows[count]:
            return Meaning.BOX
        if count < 6 or count % 2:
            return Meaning.NEITHER
        return Meaning.POLYGON if self.described or inside < MOST * even else Meaning.AMBIGUOUS

    @cached_property
    def _evidence(self) -> tuple[Counter[int], Counter[int], int, int]:
        """Rows by count; those that can have points with visibility; rows of even count; those that can have points without."""
        rows: Counter[int] = Counter()
        visible: Counter[int] = Counter()
        even = inside = 0
        for file in self.files():
            for row in read_rows(file):
                if row.values is None or len(row.values) <= BOX:
                    continue
                rows[len(row.values)] += 1
                visible[len(row.values)] += _has_visibilities(row.values)
                if len(row.values) % 2 == 0:
                    even += 1
                    inside += _has_points_inside(row.values)
        return rows, visible, even, inside


def around(values: tuple[float, ...], meaning: Meaning) -> Edges:
    """x1, y1, x2, y2 as fractions of the image: of the box, or around the polygon."""
    if meaning is Meaning.POLYGON:
        return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
    cx, cy, w, h = values[:BOX]
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def _has_visibilities(values: tuple[float, ...]) -> bool:
    """Whether the numbers can be a box and points with visibility: each third number after the box is 0, 1 or 2."""
    points = values[BOX:]
    return len(points) % 3 == 0 and all(value in VISIBILITIES for value in points[2::3])


def _has_points_inside(values: tuple[float, ...]) -> bool:
    """Whether the first four numbers can be a box inside the image that holds all points after it; (0, 0) is a missing point."""
    x1, y1, x2, y2 = around(values, Meaning.BOX)
    if not (-BOX_SLACK <= x1 < x2 <= 1 + BOX_SLACK and -BOX_SLACK <= y1 < y2 <= 1 + BOX_SLACK):
        return False
    dx, dy = POINT_SLACK * (x2 - x1), POINT_SLACK * (y2 - y1)
    return all(
        (x == 0 and y == 0) or (x1 - dx <= x <= x2 + dx and y1 - dy <= y <= y2 + dy)
        for x, y in zip(values[BOX::2], values[BOX + 1 :: 2], strict=True)
    )
