"""How a camera's own windows vary while nothing has changed, and how large a sum of deviations chance makes of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgecnn.trust.drift.cusum import largest_held, largest_sums
from edgecnn.types import Array

LEAST_WINDOWS = 60  # five minutes, before a change is judged by the own past
MOST_WINDOWS = 360  # half an hour
LAG_WINDOWS = 12  # the last minute does not count yet: a change that begins must not become usual
HELD_WINDOWS = 5  # in a row that may be farther off than chance
_BLOCK = 12  # windows that are drawn together: correlation over a minute is kept
_PATHS, _HOUR = 200, 720  # drawn sequences, and their length
_SETTLED = 60  # windows until a drawn process has forgotten its beginning
_FALSE_ALARMS_PER_HOUR = 1 / 240  # one in ten days, over all measures
_QUESTIONS = 2  # that are asked of each measure: its sum, and windows in a row
MOST_STEP = 3.0  # added to a sum by one window at most, in deviations
_LEAST_LIMIT = 10.0  # at least four windows
_LEAST_HELD = 3.0  # deviations
_SLACK, _MOST_UNCERTAIN = 0.75, 0.3  # in deviations: always allowed, and of the mean before a measure is judged at all
_LEAST_DEVIATION = 0.35  # in positions of the reference: smaller changes mean nothing to a network


@dataclass(frozen=True, slots=True)
class Usual:
    """Of one measure: ``mean`` and ``deviation`` of its windows, and ``within``, the variance of the windows of a minute.

    ``allowed`` is the deviation from them that a sum does not count, ``limit`` that of the sum, and ``held`` the deviation that
    ``HELD_WINDOWS`` windows in a row do not reach together by chance.
    """

    mean: float
    deviation: float
    within: float
    allowed: float
    limit: float
    held: float


@dataclass(slots=True)
class OwnPast:
    """The windows of one camera that count as usual; ``usual`` says what they look like, None for a measure that is not known yet.

    A sum with limited steps is slow where windows vary slowly, as its limit is high, however large the change; so large changes have a
    limit of their own (combined Shewhart-CUSUM scheme, Lucas 1982, Journal of Quality Technology 14), on several windows in a row.

    Both limits come from sequences of an hour that are drawn like the windows: in blocks of a minute (moving-block bootstrap,
    Künsch 1989, Annals of Statistics 17), and from an autoregression with their correlation (sieve bootstrap, Bühlmann 1997, Bernoulli
    3), because few windows hold few extremes. The distribution of the largest values, continued by a Gumbel distribution, gives the limit
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
    means = [float(values.mean()) for values in windows.values()]
    deviations = [_deviation(values) for values in windows.values()]
    within = [_within(values) for values in windows.values()]
    unknown = 2 * np.asarray([_uncertainty(values) for values in windows.values()])
    known = list(zip(windows.values(), means, deviations, strict=True))
    drawn = np.stack([_blocks((values - mean) * _doubt(values) / deviation, random) for values, mean, deviation in known])
    modelled = np.stack([_autoregression(values, deviation, random) for values, _, deviation in known])
    allowed = _SLACK + unknown
    limits = np.maximum(*(_limits(largest_sums(paths, allowed[:, None], MOST_STEP)) for paths in (drawn, modelled)))
    held = np.maximum(*(_limits(largest_held(paths, HELD_WINDOWS)) for paths in (drawn, modelled))) + unknown
    limits, held = np.maximum(limits, _LEAST_LIMIT), np.maximum(held, _LEAST_HELD)
    found = zip(means, deviations, within, allowed.tolist(), limits.tolist(), held.tolist(), strict=True)
    return {name: Usual(*numbers) for name, numbers in zip(windows, found, strict=True)}


def _limits(largest: Array) -> Array:
    """What the largest value of an hour exceeds by chance once in ten days, all questions together; ``largest`` (M, 200) are drawn."""
    scales = largest.std(1) * math.sqrt(6) / math.pi  # the method of moments for the Gumbel distribution
    chance = _FALSE_ALARMS_PER_HOUR / (_QUESTIONS * len(largest))
    return np.asarray(largest.mean(1) - 0.5772 * scales - scales * math.log(-math.log1p(-chance)))


def _uncertainty(values: Array) -> float:
    """The standard error of the mean of windows, in their deviations."""
    return float(values.std()) * _doubt(values) / _deviation(values) / math.sqrt(independent(values))


def _deviation(values: Array) -> float:
    """The standard deviation that may be the true one where few windows are independent, and not below what matters."""
    return max(float(values.std()) * _doubt(values), _LEAST_DEVIATION)


def _doubt(values: Array) -> float:
    """By how much the deviation may be larger: its bias with few independent windows, and its standard error."""
    count = independent(values)
    return (1 + 1 / math.sqrt(2 * count)) / math.sqrt(max(1 - 1 / count, 0.5))


def _within(values: Array) -> float:
    """The mean variance of the windows of a minute."""
    whole = len(values) // _BLOCK * _BLOCK
    return float(values[:whole].reshape(-1, _BLOCK).var(1, ddof=1).mean())


def independent(values: Array) -> float:
    """How many of ``values`` (N,) count as independent, at least 1."""
    correlation = neighbour_correlation(values)
    return max(len(values) * (1 - correlation) / (1 + correlation), 1.0)


def _blocks(residuals: Array, random: np.random.Generator) -> Array:
    """Sequences of an hour (200, 720), drawn in blocks of a minute."""
    starts = random.integers(0, len(residuals) - _BLOCK + 1, (_PATHS, _HOUR // _BLOCK))
    return np.asarray(residuals[starts[..., None] + np.arange(_BLOCK)].reshape(_PATHS, _HOUR))


def _autoregression(values: Array, deviation: float, random: np.random.Generator) -> Array:
    """Sequences of an hour (200, 720) of a normal process whose memory is that of ``values``, two standard errors longer.

    Of second order where it is shown that the values swing, as those of a camera on a pole: what swings comes back, where a process of
    first order would wander. ``back`` is their partial correlation (Yule-Walker equations); its error and that of the correlation are
    independent, so each gets its share of the two.
    """
    first, error = neighbour_correlation(values), math.sqrt(2 / len(values))
    back = min((correlation(values, 2) - first * first) / (1 - first * first) + error, 0.0)
    first = min(first + error * math.sqrt(1 - first * first), 0.95)
    scale = float(values.std()) * _doubt(values) / deviation
    steps = random.normal(0, scale * math.sqrt((1 - first * first) * (1 - back * back)), (_SETTLED + _HOUR, _PATHS))
    for index in range(2, len(steps)):
        steps[index] += first * (1 - back) * steps[index - 1] + back * steps[index - 2]
    return np.asarray(steps[_SETTLED:].T)


def neighbour_correlation(values: Array) -> float:
    """The correlation of neighbouring windows, 0 to 0.98; 0 where nothing varies. Few values show too little of it (Kendall 1954)."""
    return max(correlation(values, 1), 0.0)


def correlation(values: Array, lag: int) -> float:
    """The correlation of windows that are ``lag`` apart, at most 0.98, corrected for what few values show too little of it."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if power <= 0:
        return 0.0
    found = float(centred[lag:] @ centred[:-lag]) / power
    return min(found + (1 + 3 * found) / len(values), 0.98)
