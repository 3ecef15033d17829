"""How a camera's own windows vary while nothing has changed, and how large a sum of deviations chance makes of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgecnn.trust.drift.cusum import largest_sums
from edgecnn.types import Array

LEAST_WINDOWS = 60  # five minutes, before a change is judged by the own past
MOST_WINDOWS = 360  # half an hour
LAG_WINDOWS = 12  # the last minute does not count yet: a change that begins must not become usual
_BLOCK = 12  # windows that are drawn together: correlation over a minute is kept
_PATHS, _HOUR = 200, 720  # drawn sequences, and their length
_FALSE_ALARMS_PER_HOUR = 1 / 240  # one in ten days, over all measures
MOST_STEP = 3.0  # added to a sum by one window at most, in deviations
_LEAST_LIMIT, _MOST_LIMIT = 10.0, 60.0  # at least four windows
_SLACK, _MOST_UNCERTAIN = 0.75, 0.3  # in deviations: always allowed, and of the mean before a measure is judged at all
_LEAST_DEVIATION = 0.35  # in positions of the reference: smaller changes mean nothing to a network


@dataclass(frozen=True, slots=True)
class Usual:
    """Of one measure: ``mean`` and ``deviation`` of its windows, the ``allowed`` deviation from them, and the ``limit`` of the sum."""

    mean: float
    deviation: float
    allowed: float
    limit: float


@dataclass(slots=True)
class OwnPast:
    """The windows of one camera that count as usual; ``usual`` says what they look like, None for a measure that is not known yet.

    The limit of each sum comes from sequences of an hour that are drawn like the windows: in blocks of a minute (moving-block bootstrap,
    Künsch 1989, Annals of Statistics 17), and from an autoregression with their correlation (sieve bootstrap, Bühlmann 1997, Bernoulli
    3), because few windows hold few extremes. The distribution of the largest sums, continued by a Gumbel distribution, gives the limit
    that all measures together exceed once in ten days (Bonferroni); the larger of both counts. What few windows
    can't know of the mean is added to what is allowed, and a measure that varies slowly is judged only when enough is known: the number
    of independent windows is n (1 - r) / (1 + r) with the correlation r of neighbours (Bayley and Hammersley 1946).
    """

    seed: int = 0
    _recent: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=LAG_WINDOWS))
    _windows: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=MOST_WINDOWS))
    _usual: dict[str, Usual] = field(default_factory=dict)
    _added: int = 0

    def usual(self, name: str) -> Usual | None:
        """What is usual of a measure."""
        return self._usual.get(name)

    def add(self, positions: Mapping[str, float]) -> None:
        """Add the positions of a window in which nothing had changed; it counts a minute later."""
        if len(self._recent) == LAG_WINDOWS:
            self._windows.append(self._recent[0])
            self._added += 1
        self._recent.append(positions)
        # computed every minute at first, then every ten
        if self._added >= LEAST_WINDOWS and not self._added % (
            LAG_WINDOWS if self._added < 2 * LEAST_WINDOWS else 2 * LEAST_WINDOWS
        ):
            self._learn()

    def forget_recent(self) -> None:
        """Drop the last minute, in which a change may have begun."""
        self._recent.clear()

    def _learn(self) -> None:
        names = sorted({name for window in self._windows for name in window})
        found = {name: [window[name] for window in self._windows if name in window] for name in names}
        kept = {name: np.asarray(values) for name, values in found.items() if len(values) >= LEAST_WINDOWS}
        self._usual = usual_of(kept, np.random.default_rng(self.seed))


def usual_of(windows: Mapping[str, Array], random: np.random.Generator) -> dict[str, Usual]:
    """What is usual of each measure, from its ``windows`` (N,), at least a block of them; without those whose mean is too uncertain."""
    windows = {name: values for name, values in windows.items() if _uncertainty(values) <= _MOST_UNCERTAIN}
    if not windows:
        return {}
    means = {name: float(values.mean()) for name, values in windows.items()}
    deviations = {name: _deviation(values) for name, values in windows.items()}
    allowed = {name: _SLACK + 2 * _uncertainty(values) for name, values in windows.items()}
    drawn = np.stack([_blocks((values - means[name]) / deviations[name], random) for name, values in windows.items()])
    modelled = np.stack([_autoregression(values, deviations[name], random) for name, values in windows.items()])
    least = np.asarray(list(allowed.values()))[:, None]
    limits = np.maximum(*(_limits(largest_sums(paths, least, MOST_STEP), len(windows)) for paths in (drawn, modelled)))
    return {
        name: Usual(means[name], deviations[name], allowed[name], float(limit))
        for name, limit in zip(windows, np.clip(limits, _LEAST_LIMIT, _MOST_LIMIT), strict=True)
    }


def _limits(sums: Array, measures: int) -> Array:
    """What the largest sum of an hour exceeds by chance once in ten days, all measures together; ``sums`` (M, 200) are drawn."""
    scales = sums.std(1) * math.sqrt(6) / math.pi  # the method of moments for the Gumbel distribution
    return np.asarray(sums.mean(1) - 0.5772 * scales - scales * math.log(-math.log1p(-_FALSE_ALARMS_PER_HOUR / measures)))


def _uncertainty(values: Array) -> float:
    """The standard error of the mean of windows, in their deviations."""
    return float(values.std()) / _deviation(values) / math.sqrt(independent(values))


def _deviation(values: Array) -> float:
    """The standard deviation, with what is missing of it where few windows are independent, and not below what matters."""
    return max(float(values.std()) / math.sqrt(max(1 - 1 / independent(values), 0.5)), _LEAST_DEVIATION)


def independent(values: Array) -> float:
    """How many of ``values`` (N,) count as independent, at least 1."""
    correlation = neighbour_correlation(values)
    return max(len(values) * (1 - correlation) / (1 + correlation), 1.0)


def _blocks(residuals: Array, random: np.random.Generator) -> Array:
    """Sequences of an hour (200, 720), drawn in blocks of a minute."""
    starts = random.integers(0, len(residuals) - _BLOCK + 1, (_PATHS, _HOUR // _BLOCK))
    return np.asarray(residuals[starts[..., None] + np.arange(_BLOCK)].reshape(_PATHS, _HOUR))


def _autoregression(values: Array, deviation: float, random: np.random.Generator) -> Array:
    """Sequences of an hour (200, 720) of a normal process whose memory is that of ``values``, two standard errors longer."""
    found = neighbour_correlation(values)
    memory = min(found + 2 * math.sqrt((1 - found * found) / len(values)), 0.95)
    steps = random.normal(0, float(values.std()) / deviation * math.sqrt(1 - memory * memory), (_HOUR, _PATHS))
    steps[0] /= math.sqrt(1 - memory * memory)
    for index in range(1, _HOUR):
        steps[index] += memory * steps[index - 1]
    return np.asarray(steps.T)


def neighbour_correlation(values: Array) -> float:
    """The correlation of neighbouring windows, 0 to 0.98; 0 where nothing varies. Few values show too little of it (Kendall 1954)."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if power <= 0:
        return 0.0
    found = float(centred[1:] @ centred[:-1]) / power
    return min(max(found + (1 + 3 * found) / len(values), 0.0), 0.98)
