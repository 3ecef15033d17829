"""Means of the measures of a stream over windows of five seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgecnn.reference_profile.measure_range import MeasureRange
from edgecnn.reference_profile.profile import Description
from edgecnn.types import Float32

WINDOW_S = 5.0
MEASURED_FPS = 2.0  # more frames of a second tell little more
_LEAST = 3  # frames of a window that have a measure, or the window has none


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The frames from ``began`` to ``ended`` (seconds of the stream's clock): mean ``values`` and mean ``positions`` by measure.

    A position is that in the reference, see ``MeasureRange.position``; a measure that too few frames have is missing. ``thumbnail`` is
    the mean view.
    """

    began: float
    ended: float
    values: Mapping[str, float]
    positions: Mapping[str, float]
    thumbnail: Float32


@dataclass(slots=True)
class WindowBuilder:
    """Gathers measured frames; ``add`` gives a window when one is full. ``ranges`` are those of the reference."""

    ranges: Mapping[str, MeasureRange]
    _began: float | None = None
    _last: float = 0.0
    _values: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _thumbnails: list[Float32] = field(default_factory=list)

    def add(self, at: float, frame: Description) -> Window | None:
        """Add a frame; the window that it completes, without the frame. Time that jumps (a lost camera) ends a window, too."""
        done = None
        if self._began is not None and not 0 <= at - self._began < WINDOW_S:
            done = self._finished(min(max(at, self._last), self._began + WINDOW_S)) if len(self._thumbnails) >= _LEAST else None
            self._began = None
        if self._began is None:
            self._began = at
            self._values.clear()
            self._thumbnails.clear()
        self._last = at
        for name, value in frame.values.items():
            self._values[name].append(value)
        self._thumbnails.append(frame.thumbnail)
        return done

    def _finished(self, ended: float) -> Window:
        assert self._began is not None
        values = {name: found for name, found in self._values.items() if len(found) >= _LEAST}
        return Window(
            self._began,
            ended,
            {name: float(np.mean(found)) for name, found in values.items()},
            {
                name: float(np.mean([measure.position(value) for value in values[name]]))
                for name, measure in self.ranges.items()
                if name in values
            },
            np.asarray(np.mean(self._thumbnails, axis=0), np.float32),
        )
