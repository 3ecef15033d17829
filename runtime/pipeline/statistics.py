"""Statistics of a pipeline: durations by stage, frame age, throughput and the ledger, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgecnn.runtime.pipeline.ledger import FrameCounts

STATS_VERSION = 3
STAGES = ("capture", "preprocess", "infer", "postprocess", "sink")

_MIN_MS = 1e-3
_LOG_STEP = math.log(1.01)
_BINS = 2400  # 1e-3 ms * 1.01^2400 is ten months


@dataclass(frozen=True, slots=True)
class DurationSummary:
    """Statistics of a duration in milliseconds; percentiles are nearest-rank, accurate to 0.5 %. NaN without samples."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


class DurationHistogram:
    """A histogram of durations with logarithmic bins, each 1 % wide: constant memory, and percentiles accurate to 0.5 %.

    One thread adds; any thread may read.
    """

    def __init__(self) -> None:
        self._bins = np.zeros(_BINS, np.int64)
        self._count, self._sum, self._max = 0, 0.0, 0.0

    def add(self, ms: float) -> None:
        """Record one duration in milliseconds."""
        place = int(math.log(ms / _MIN_MS) / _LOG_STEP) if ms > _MIN_MS else 0
        self._bins[min(place, _BINS - 1)] += 1
        self._count += 1
        self._sum += ms
        self._max = max(self._max, ms)

    def since(self, earlier: DurationHistogram) -> DurationHistogram:
        """The durations added after ``earlier``, a ``copy()`` of this; the maximum is that of the whole run."""
        part = DurationHistogram()
        part._bins = self._bins - earlier._bins
        part._count, part._sum, part._max = self._count - earlier._count, self._sum - earlier._sum, self._max
        return part

    def copy(self) -> DurationHistogram:
        """A snapshot."""
        return self.since(DurationHistogram())

    def percentile(self, percent: float) -> float:
        """The nearest-rank percentile, the middle of its bin; NaN without samples."""
        total = np.cumsum(self._bins)
        if not total[-1]:
            return math.nan
        place = int(np.searchsorted(total, max(math.ceil(int(total[-1]) * percent / 100), 1)))
        return min(_MIN_MS * math.exp(_LOG_STEP * (place + 0.5)), self._max)

    def summary(self) -> DurationSummary:
        """Count, mean, percentiles and maximum."""
        if not self._count:
            return DurationSummary(0, *[math.nan] * 5)
        p50, p90, p99 = (self.percentile(percent) for percent in (50, 90, 99))
        return DurationSummary(self._count, self._sum / self._count, p50, p90, p99, self._max)


@dataclass(frozen=True, slots=True)
class Stats:
    """Statistics so far. ``throughput_fps`` is frames processed per second of ``duration_s``, from first capture to last result.

    ``stage_ms`` and ``age_ms`` cover the processed frames. Stage "capture" lasts from the arrival of a frame (of a file: from the
    request) to its decoded pixels, "sink" is the time that the caller spent with a result; the age is from capture to hand-over.
    ``late`` counts the results older than ``max_age_ms`` of the camera.
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
        """As a JSON object with a version; values that were not measured are null."""
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
