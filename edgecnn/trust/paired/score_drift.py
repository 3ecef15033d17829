"""How far scores moved from one file to the other, for what both name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.metrics.estimate import Interval, ends
from edgecnn.trust.paired.image_pair import ImagePair
from edgecnn.trust.significance import ratio_interval
from edgecnn.types import Array

MOVED = 0.05  # a score that moved by more is counted
BINS = np.linspace(-1, 1, 41)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreDrift:
    """The distribution of score after - score before over ``count`` labels or matched boxes.

    ``mean`` with its 95 % ``interval`` (bootstrap over images), the percentiles 5, 50 and 95, the share that ``moved`` by more than
    MOVED with its interval, and ``histogram``, counts in BINS.
    """

    count: int
    mean: float
    interval: Interval | None
    p5: float
    p50: float
    p95: float
    moved: float
    moved_interval: Interval | None
    histogram: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "count": self.count,
            "mean": self.mean,
            "interval": ends(self.interval),
            "p5": self.p5,
            "p50": self.p50,
            "p95": self.p95,
            "moved": self.moved,
            "moved_interval": ends(self.moved_interval),
            "moved_by_more_than": MOVED,
            "histogram": {"edges": BINS.tolist(), "counts": list(self.histogram)},
        }


def score_drift(pairs: Sequence[ImagePair], seed: int = 0) -> ScoreDrift | None:
    """The drift over all images; None where the two files name nothing in common."""
    every: Array = np.concatenate([pair.moved for pair in pairs]) if pairs else np.zeros(0)
    every = every[np.isfinite(every)]
    if not every.size:
        return None
    counts = np.array([len(pair.moved) for pair in pairs])
    far = np.array([np.count_nonzero(np.abs(pair.moved) > MOVED) for pair in pairs])
    sums = np.array([np.nansum(pair.moved) for pair in pairs])
    p5, p50, p95 = np.percentile(every, (5, 50, 95))
    return ScoreDrift(
        count=len(every),
        mean=float(every.mean()),
        interval=ratio_interval(sums, counts, seed),
        p5=float(p5),
        p50=float(p50),
        p95=float(p95),
        moved=float((np.abs(every) > MOVED).mean()),
        moved_interval=ratio_interval(far, counts, seed),
        histogram=tuple(np.histogram(np.clip(every, -1, 1), BINS)[0].tolist()),
    )
