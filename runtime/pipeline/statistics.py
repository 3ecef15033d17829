"""What a pipeline measured: durations by stage, frame age, throughput and the ledger, in memory that does not grow with the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgecnn.runtime.pipeline.ledger import FrameCounts

STATS_VERSION = 3
STAGES = ("capture", "preprocess", "infer", "postprocess", "sink")

_LOWEST_MS = 1e-3
_STEP = math.log(1.01)
_BINS = 2400  # 1e-3 ms * 1.01^2400 is ten months


@dataclass(frozen=True, slots=True)
class DurationSummary:
    """Statistics of one clock in milliseconds; percentiles are nearest-rank to within 0.5 %. NaN without samples."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


class DurationHistogram:
    """Counts durations in bins 1 % apart, so that days of frames take as much memory as a second of them.

    Recorded by one thread; any thread may read.
    """

    def __init__(self) -> None:
        self._bins = np.zeros(_BINS, np.int64)
        self._count, self._sum, self._max = 0, 0.0, 0.0

    def add(self, ms: float) -> None:
        """Record one duration in milliseconds."""
        place = int(math.log(ms / _LOWEST_MS) / _STEP) if ms > _LOWEST_MS else 0
        self._bins[min(place, _BINS - 1)] += 1
        self._count += 1
        self._sum += ms
        self._max = max(self._max, ms)

    def since(self, earlier: DurationHistogram) -> DurationHistogram:
        """What was recorded after ``earlier``, a ``copy()`` of this; its maximum is that of the whole."""
        part = DurationHistogram()
        part._bins = self._bins - earlier._bins
        part._count, part._sum, part._max = self._count - earlier._count, self._sum - earlier._sum, self._max
        return part

    def copy(self) -> DurationHistogram:
        """A reading of this moment."""
        return self.since(DurationHistogram())

    def percentile(self, percent: float) -> float:
        """The nearest-rank percentile, the middle of its bin; NaN without samples."""
        total = np.cumsum(self._bins)
        if not total[-1]:
            return math.nan
        place = int(np.searchsorted(total, max(math.ceil(int(total[-1]) * percent / 100), 1)))
        return min(_LOWEST_MS * math.exp(_STEP * (place + 0.5)), self._max)

    def summary(self) -> DurationSummary:
        """Count, mean, percentiles and maximum."""
        if not self._count:
            return DurationSummary(0, *[math.nan] * 5)
        p50, p90, p99 = (self.percentile(percent) for percent in (50, 90, 99))
        return DurationSummary(self._count, self._sum / self._count, p50, p90, p99, self._max)


@dataclass(frozen=True, slots=True)
class Stats:
    """What a pipeline measured so far. ``throughput_fps`` is frames processed per second of ``duration_s``, first capture to last result.

    ``stage_ms`` and ``age_ms`` are of the processed frames; capture runs from the moment a frame is there (a file: from asking for
    it) to its pixels, sink is the time that the caller spent with a result, age from capture to the result handed over.
    ``late`` counts the results that were older than the plan of the camera allows.
    """

    policy: str
    workers: int
    duration_s: float
    throughput_fps: float
    stage_ms: Mapping[str, DurationSummary]
    age_ms: DurationSummary
    ledger: FrameCounts
    late: int = 0

    def to_json(self) -> dict[str, Any]:
        """A JSON object; what was not measured is null."""
        record = {
            "version": STATS_VERSION,
            **asdict(self),
            "stage_ms": {name: asdict(row) for name, row in self.stage_ms.items()},
        }
        record["ledger"]["in_flight"] = self.ledger.in_flight
        cleaned: dict[str, Any] = _plain(record)
        return cleaned


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
