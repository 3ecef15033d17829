"""Watches the frames of one camera: measures a few of them, gathers windows, judges them, and learns the reference first if asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecnn.reference_profile.collect import ProfileCollector
from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.reference_profile.profile import Description, ReferenceProfile
from edgecnn.trust.drift.findings import DriftFinding
from edgecnn.trust.drift.monitor import DriftMonitor, DriftVerdict
from edgecnn.trust.drift.own_past import independent
from edgecnn.trust.drift.windows import MEASURED_FPS, WINDOW_S, WindowBuilder
from edgecnn.types import Image, Prediction

STREAM = "stream"  # the source of a profile that was learnt from a camera


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What one measured frame brought: its ``description``, the ``verdict`` of the window that it ended, and a profile just ``learnt``."""

    description: Description | None = None
    verdict: DriftVerdict = field(default_factory=DriftVerdict)
    learnt: ReferenceProfile | None = None


class DriftWatch:
    """Compares frames with ``profile``; without one it is learnt from the first ``learn_s`` seconds, ``camera`` names the stream.

    At most two frames per second are measured, whatever the rate of the stream; it keeps a few hundred numbers for each window.
    """

    def __init__(self, profile: ReferenceProfile | None, *, learn_s: float = 0.0, camera: str = "") -> None:
        self._learn_s, self._camera = learn_s, camera
        self._collector, self._times = ProfileCollector(), list[float]()
        self._next_at = -math.inf
        self._last_at = -math.inf
        self._learning_since: float | None = None
        self.monitor: DriftMonitor | None = None
        if profile is not None:
            self._begin(profile)

    def _begin(self, profile: ReferenceProfile) -> None:
        self.monitor, self._windows = DriftMonitor(profile), WindowBuilder(profile.ranges)

    @property
    def findings(self) -> tuple[DriftFinding, ...]:
        """The measures that are out of what is usual now, the farthest first."""
        return () if self.monitor is None else self.monitor.findings

    @property
    def learnt_share(self) -> float:
        """How much of the time of learning has passed, 0 to 1."""
        if self.monitor is not None or self._learning_since is None:
            return float(self.monitor is not None)
        return min((self._last_at - self._learning_since) / max(self._learn_s, 1e-9), 1.0)

    def due(self, at: float) -> bool:
        """Whether a frame at ``at`` seconds of the stream's clock is measured."""
        return at >= self._next_at or at < self._last_at

    def add(self, at: float, image: Image, prediction: Prediction) -> Observed | None:
        """Take a frame (H, W, 3) uint8 BGR at ``at`` seconds and its prediction; None where it is not measured."""
        if not self.due(at):
            return None
        # on a grid, so that a stream of 30 frames per second gives 2 and not 1.9; after a gap the grid begins again
        step = 1 / MEASURED_FPS
        self._next_at = self._next_at + step if 0 <= at - self._next_at < step else at + step
        self._next_at, self._last_at = max(self._next_at, at + step / 2), at
        measured, pixels = measure_image(image), image.shape[0] * image.shape[1]
        if self.monitor is None:
            self._collector.add_measured(measured, prediction, pixels)
            self._times.append(at)
            return Observed(learnt=self._learn(at))
        description = self.monitor.profile.describe(measured, prediction, pixels)
        window = self._windows.add(at, description)
        return Observed(description, DriftVerdict() if window is None else self.monitor.add(window))

    def _learn(self, at: float) -> ReferenceProfile | None:
        """The profile, once the time of learning is over."""
        self._learning_since = at if self._learning_since is None else self._learning_since
        if at - self._learning_since < self._learn_s:
            return None
        independent = independent_windows(self._times, self._collector.series("brightness"))
        profile = self._collector.profile(STREAM, self._camera, independent=independent, view=True)
        self._collector, self._times = ProfileCollector(), []
        self._begin(profile)
        return profile


def independent_windows(times: Sequence[float], values: Sequence[float]) -> float:
    """How many means of windows count as independent, of frames at ``times`` with one value each; at least 1."""
    place = ((np.asarray(times) - times[0]) / WINDOW_S).astype(np.int64)
    counts = np.bincount(place)
    means = (np.bincount(place, values) / np.maximum(counts, 1))[counts > 0]
    return independent(means)
