"""The smallest rotation, shift, change of brightness and JPEG compression that change the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.data.moved_boxes import move_boxes
from edgecnn.trust.explain.why.answer import Asked, Said
from edgecnn.trust.invariance.catalogue import TRANSFORMATIONS
from edgecnn.trust.invariance.geometry import move_image, rotation
from edgecnn.types import Array, Boxes, Float32, Image

HALVINGS = 7  # between a level that keeps the answer and one that changes it
STILL_SEEN = 0.7  # of the box after a movement: beyond, the object leaves the image
_RANDOM = np.random.default_rng(0)  # the changes of this module draw nothing
DIRECTIONS = {
    "to the right": (1, 0),
    "to the left": (-1, 0),
    "down": (0, 1),
    "up": (0, -1),
    "down to the right": (1, 1),
    "down to the left": (-1, 1),
    "up to the right": (1, -1),
    "up to the left": (-1, -1),
}


@dataclass(frozen=True, slots=True)
class ChangeAxis:
    """One way to change an image by a level, from weak to strong.

    ``change`` gives the image (h, w, 3) at a level; a ``matrix`` (2, 3) of (height, width) and the level moves its pixels instead.
    ``words`` writes a level as in "turned by 15° clockwise". ``step`` is the smallest difference of two levels.
    """

    name: str
    levels: tuple[float, ...]
    step: float
    words: Callable[[float], str]
    change: Callable[[Image, float], Image] | None = None
    matrix: Callable[[tuple[int, int], float], Array] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SmallestChange:
    """The smallest change of one kind that was found: its words and level, the image of the network's input, and the answer after it.

    ``image`` and ``words`` are None and "" where no level changed the answer; ``tried`` says what was tried, "" for nothing, as where
    the object leaves the image at once. ``box`` (4,) is the place
    of the object in the changed image.
    """

    name: str
    tried: str
    level: float | None = None
    words: str = ""
    image: Image | None = None
    box: Float32 | None = None
    after: Said | None = None


def smallest_changes(asked: Asked, image: Image, said: Said, content: tuple[int, int, int, int]) -> list[SmallestChange]:
    """The smallest change of each kind of ``image`` (h, w, 3), whose part ``content`` (left, top, right, bottom) is changed."""
    search = _ChangeSearch(asked, image, said, content)
    height, width = content[3] - content[1], content[2] - content[0]
    return [search.smallest(name, axes, tried) for name, axes, tried in _axes(min(height, width))]


def _axes(side: int) -> list[tuple[str, list[ChangeAxis], str]]:
    """Each kind of change with its directions, and how the strongest level that was tried is written."""
    turns = (1.0, 2.0, 4.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0, 110.0, 130.0, 150.0, 180.0)
    shifts = tuple(float(step) for step in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128) if step <= side / 2)
    light = tuple(round(0.05 * step, 2) for step in range(1, 17))
    return [
        ("rotation", [_turn("clockwise", 1, turns), _turn("anticlockwise", -1, turns)], "turned by up to {:.0f}° either way"),
        (
            "shift",
            [_shift(name, x, y, shifts) for name, (x, y) in DIRECTIONS.items()],
            "moved by up to {:.0f} pixels in eight directions",
        ),
        ("darker", [_light("darkened", -1, light)], "darkened by up to {:.0%} of the range"),
        ("brighter", [_light("brightened", 1, light)], "brightened by up to {:.0%} of the range"),
        ("JPEG", [_jpeg()], "compressed as JPEG of quality 1"),
    ]


def _turn(word: str, sign: int, levels: tuple[float, ...]) -> ChangeAxis:
    return ChangeAxis(
        "rotation",
        levels,
        1.0,
        lambda level: f"turned by {level:.0f}° {word}",
        matrix=lambda size, level: rotation(size, sign * level, _RANDOM),
    )


def _shift(word: str, x: int, y: int, levels: tuple[float, ...]) -> ChangeAxis:
    return ChangeAxis(
        "shift",
        levels,
        1.0,
        lambda level: f"moved {word} by {level:.0f} pixel{'' if level == 1 else 's'} of the network's input",
        matrix=lambda size, level: np.array([[1, 0, x * level], [0, 1, y * level]], np.float64),
    )


def _light(word: str, sign: int, levels: tuple[float, ...]) -> ChangeAxis:
    change = TRANSFORMATIONS["brightness"].change
    assert change is not None
    return ChangeAxis(
        word,
        levels,
        0.01,
        lambda level: f"{word} by {100 * level:.0f} % of the range",
        lambda image, level: change(image, None, sign * level, _RANDOM),
    )


def _jpeg() -> ChangeAxis:
    change = TRANSFORMATIONS["jpeg"].change
    assert change is not None
    # the level is the distance from the best quality, so that it grows with the change
    return ChangeAxis(
        "JPEG",
        tuple(float(100 - quality) for quality in (95, 80, 65, 50, 35, 25, 18, 12, 8, 5, 3, 1)),
        1.0,
        lambda level: f"compressed as JPEG of quality {100 - level:.0f}",
        lambda image, level: change(image, None, 100 - level, _RANDOM),
    )


class _ChangeSearch:
    def __init__(self, asked: Asked, image: Image, said: Said, content: tuple[int, int, int, int]) -> None:
        self._asked, self._image, self._said, self._content = asked, image, said, content

    def smallest(self, name: str, axes: Sequence[ChangeAxis], tried_words: str) -> SmallestChange:
        """The smallest level over ``axes``, which are directions of one kind of change; ``tried_words`` has a place for a level."""
        best: tuple[float, ChangeAxis] | None = None
        reached = 0.0
        for axis in axes:
            limit = np.inf if best is None else best[0]
            level, tried = self._along(axis, limit)
            reached = max(reached, tried)
            if level is not None:
                best = level, axis
        strongest = tried_words.format(reached).replace("%", " %") if reached else ""
        if best is None:
            return SmallestChange(name, strongest)
        level, axis = best
        image, box = self._changed(axis, level)
        after = self._asked.again(image[None], self._said, None if box is None else box[None])[0]
        return SmallestChange(name, strongest, level, axis.words(level), image, box, after)

    def _along(self, axis: ChangeAxis, limit: float) -> tuple[float | None, float]:
        """The smallest level below ``limit`` that changes the answer, None where none does, and the strongest level tried."""
        kept = 0.0
        for level in axis.levels:
            if level >= limit:
                break
            changes = self._changes(axis, level)
            if changes is None:
                break
            if changes:
                return self._between(axis, kept, level), level
            kept = level
        # the last step to a limit that another direction set
        if np.isfinite(limit) and limit - axis.step > kept and self._changes(axis, limit - axis.step):
            return self._between(axis, kept, limit - axis.step), limit
        return None, kept

    def _between(self, axis: ChangeAxis, kept: float, changed: float) -> float:
        for _ in range(HALVINGS):
            middle = kept + round((changed - kept) / 2 / axis.step) * axis.step
            if middle <= kept or middle >= changed:
                break
            if self._changes(axis, middle):
                changed = middle
            else:
                kept = middle
        return round(changed, 6)

    def _changes(self, axis: ChangeAxis, level: float) -> bool | None:
        """Whether the answer is another one; None where the object leaves the image."""
        image, box = self._changed(axis, level)
        if self._said.box is not None and box is None:
            return None
        return bool(self._asked.support(image[None], self._said, None if box is None else box[None])[0] < 0)

    def _changed(self, axis: ChangeAxis, level: float) -> tuple[Image, Float32 | None]:
        left, top, right, bottom = self._content
        part = self._image[top:bottom, left:right]
        changed: Image = self._image.copy()
        box = self._said.box
        if axis.matrix is None:
            assert axis.change is not None
            changed[top:bottom, left:right] = axis.change(np.ascontiguousarray(part), level)
            return changed, box
        matrix = axis.matrix((bottom - top, right - left), level)
        changed[top:bottom, left:right] = move_image(np.ascontiguousarray(part), matrix)
        return changed, None if box is None else self._moved(box, matrix)

    def _moved(self, box: Float32, matrix: Array) -> Float32 | None:
        """The box after the movement; None where a part of it leaves the image."""
        left, top, right, bottom = self._content
        corner = np.array([left, top] * 2, np.float32)
        size = (bottom - top, right - left)
        boxes = Boxes((box - corner)[None], np.zeros(1, np.int64))
        moved, kept = move_boxes(boxes, matrix, size)
        if not kept[0]:
            return None
        whole = float(np.prod(box[2:] - box[:2])) * abs(float(np.linalg.det(matrix[:, :2])))
        seen = float(np.prod(moved.xyxy[0, 2:] - moved.xyxy[0, :2]))
        return None if seen < STILL_SEEN * whole else moved.xyxy[0] + corner
