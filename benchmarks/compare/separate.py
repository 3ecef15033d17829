"""The ratio of latencies of two separate measurements, and of two files measured in turns by one run.

The samples of a run are not independent: other programs, temperature and frequency change slowly, and each start of a process
places its memory anew, which shifts all of its samples. A longer run does not average that away. So the error of a separate run is
the spread of its rounds, not divided by their number, with a part for what changes from run to run only: a fixed one, and one
for the load of other programs, which may be another in the next run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgecnn.benchmarks.compare.interval import CONFIDENCE, RatioInterval
from edgecnn.benchmarks.compare.record_file import MeasuredClock
from edgecnn.benchmarks.measure.statistics import Rounds
from edgecnn.metrics.student import t_quantile
from edgecnn.types import Array, nearest_rank

# Standard deviations of the logarithm of a median. A STABLE median is reproduced within about 5 % (verdict.py): 0.02 for each run.
# From process to process: the calmest of 20 comparisons of one file with itself (figures.process_spread).
RUN_TO_RUN = 0.02
PROCESS_TO_PROCESS = 0.01
LEAST_ROUNDS = 4
LEAST_RUNS = 32
MEDIAN_ERROR = math.sqrt(math.pi / 2)  # standard error of a median over that of a mean, normal distribution
MAD_TO_DEVIATION = 1.4826  # of a normal distribution
WINSORIZED = 3.0  # deviations

Error = tuple[float, float]
"""Standard error and its degrees of freedom."""


def separate_ratio(before: MeasuredClock, after: MeasuredClock) -> RatioInterval | None:
    """The ratio of the medians after/before of two runs, or None where one is too short."""
    if too_short(before.rounds) or too_short(after.rounds):
        return None
    spreads = [_spread(own.rounds) for own in (before, after)]
    known = [RUN_TO_RUN, RUN_TO_RUN, load_error(before.other_load), load_error(after.other_load)]
    return _interval(math.log(after.percentile(50) / before.percentile(50)), spreads, known)


def load_error(share: float) -> float:
    """Half of the logarithm by which a latency grows if all of the ``share`` of the processors that others took was missing."""
    return -math.log(1 - min(share, 0.99)) / 2


def same_run_ratio(before: MeasuredClock, after: MeasuredClock) -> RatioInterval | None:
    """The ratio of the medians of two files that one run measured in turns, from the ratios of its rounds."""
    if too_short(before.rounds) or too_short(after.rounds) or len(before.rounds) != len(after.rounds):
        return None
    ratios = log_medians(after.rounds) - log_medians(before.rounds)
    error, degrees = mean_error(winsorized(ratios))
    return _interval(float(np.median(ratios)), [(MEDIAN_ERROR * error, degrees)], [PROCESS_TO_PROCESS] * 2)


def too_short(rounds: Rounds) -> bool:
    """Whether the rounds say nothing about the error of their median."""
    return len(rounds) < LEAST_ROUNDS or sum(map(len, rounds)) < LEAST_RUNS


def _spread(rounds: Rounds) -> Error:
    """The standard deviation of the medians of rounds."""
    return float(np.std(winsorized(log_medians(rounds)), ddof=1)), len(rounds) - 1.0


def winsorized(series: Array) -> Array:
    """The series with values far from the median drawn in: a burst of noise in a few rounds hardly moves a median."""
    middle = np.median(series)
    reach = WINSORIZED * MAD_TO_DEVIATION * float(np.median(np.abs(series - middle)))
    return np.clip(series, middle - reach, middle + reach)


def mean_error(series: Array) -> Error:
    """The standard error of the mean of an autocorrelated series of at least four values.

    It is the largest that blocks of neighbouring values give (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461, 1989).
    """
    return max(_block_error(series, len(series) // length) for length in range(1, len(series) // LEAST_ROUNDS + 1))


def _block_error(series: Array, blocks: int) -> Error:
    length = len(series) // blocks
    means = series[: blocks * length].reshape(blocks, length).mean(axis=1)
    return float(np.std(means, ddof=1)) / math.sqrt(blocks), blocks - 1.0


def _interval(log_ratio: float, errors: Sequence[Error], known: Sequence[float]) -> RatioInterval:
    """Welch's interval; ``known`` are standard deviations that were not estimated from these samples."""
    total = sum(error**2 for error, _ in errors) + sum(error**2 for error in known)
    uncertain = sum(error**4 / degrees for error, degrees in errors)
    degrees = min(total**2 / uncertain, 1e6) if uncertain > 0 else 1e6
    half = t_quantile((1 + CONFIDENCE) / 2, degrees) * math.sqrt(total)
    return RatioInterval.of_logs(log_ratio, log_ratio - half, log_ratio + half)


def log_medians(rounds: Rounds) -> Array:
    """The logarithm of the median of each round."""
    return np.log([nearest_rank(one, 50) for one in rounds])
