"""Collects and validates the boxes of an image while annotation files are read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from edgecnn.data.sample import Problem
from edgecnn.rotated import from_corners
from edgecnn.types import Boxes, Float32

Corners = tuple[tuple[float, float], ...]

# Rounded coordinates, and formats that count pixels from 1, reach this far outside an image without being wrong.
SLACK_PX = 1.0


@dataclass(slots=True)
class BoxList:
    """Collects the boxes of one image of ``width`` x ``height`` pixels, and the problems of all."""

    width: float
    height: float
    problems: list[Problem]
    _rows: list[tuple[float, float, float, float]] = field(default_factory=list)
    _classes: list[int] = field(default_factory=list)
    _crowd: list[bool] = field(default_factory=list)
    _areas: list[float] = field(default_factory=list)
    _corners: list[Corners | None] = field(default_factory=list)

    def add(
        self,
        xyxy: tuple[float, float, float, float],
        class_id: int,
        where: str,
        *,
        crowd: bool = False,
        area: float = math.nan,
        corners: Corners | None = None,
    ) -> bool:
        """Add a box in pixels, clipped to the image; an empty box is left out. Both are reported as problems at ``where``.

        ``corners`` are those of a rotated box.

        Returns whether the box was kept.
        """
        if not all(math.isfinite(value) for value in xyxy):
            self.problems.append(Problem(where, f"a box with a coordinate that is no number: {_shown(xyxy)}"))
            return False
        x1, y1, x2, y2 = xyxy
        # clipped before the checks: a box that lies outside has no extent after clipping
        clipped = (max(x1, 0.0), max(y1, 0.0), min(x2, self.width), min(y2, self.height))
        if x2 <= x1 or y2 <= y1 or clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
            what = "without extent" if x2 <= x1 or y2 <= y1 else f"outside the image of {self.width:g}x{self.height:g}"
            self.problems.append(Problem(where, f"a box {what}: {_shown(xyxy)}; left out"))
            return False
        if max(abs(a - b) for a, b in zip(xyxy, clipped, strict=True)) > SLACK_PX:
            what = f"a box that reaches outside the image of {self.width:g}x{self.height:g}: {_shown(xyxy)}; clipped"
            self.problems.append(Problem(where, what))
        self._rows.append(clipped)
        self._classes.append(class_id)
        self._crowd.append(crowd)
        self._areas.append(area)
        self._corners.append(corners)
        return True

    def done(self) -> Boxes:
        """All boxes that were added: xyxy (n, 4) float32 in pixels, class ids (n,) int64."""
        area = np.array(self._areas, np.float32)
        return Boxes(
            np.array(self._rows, np.float32).reshape(-1, 4),
            np.array(self._classes, np.int64),
            crowd=np.array(self._crowd, np.bool_),
            # formats other than COCO give no area: evaluation then uses that of the box
            area=None if np.isnan(area).any() else area,
            corners=self._rotated(),
        )

    def _rotated(self) -> Float32 | None:
        """The corners (n, 4, 2) where every box has some; an image without boxes has no upright ones."""
        if any(corners is None for corners in self._corners):
            return None
        return np.array(self._corners, np.float32).reshape(-1, 4, 2)


def has_extent(corners: Corners) -> bool:
    """Whether the smallest rotated box around four points has a width and a height; False where a coordinate is no number."""
    points = np.array([corners], np.float32)
    return bool(np.isfinite(points).all() and from_corners(points)[0, 2:4].all())


def _shown(xyxy: tuple[float, float, float, float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in xyxy) + ")"
