"""The verdict on the reliability of a measurement: STABLE, or NOISY with every reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.statistics import Rounds, coefficient_of_variation, drift, round_spread
from edgecnn.benchmarks.measure.timing import WarmUp
from edgecnn.devices.counters import Disturbance

# Chosen so that a STABLE p50 is reproduced within about 5 %; all are shares.
MAX_COEFFICIENT_OF_VARIATION = 0.10
MAX_DRIFT = 0.05
MAX_ROUND_SPREAD = 0.10
MAX_OTHER_LOAD = 0.05
MAX_STEAL = 0.02


@dataclass(frozen=True, slots=True)
class Verdict:
    """STABLE without ``reasons``, else NOISY; each reason is short and names the number that was too high."""

    reasons: tuple[str, ...] = ()

    @property
    def stable(self) -> bool:
        """Whether there are no reasons for NOISY."""
        return not self.reasons

    def __str__(self) -> str:
        return "STABLE" if self.stable else "NOISY"


def judge(clock: Clock, rounds: Rounds, warm: WarmUp, disturbance: Disturbance) -> Verdict:
    """The verdict on the samples of one clock.

    The age of a frame depends on the phase between camera and pipeline, so its spread is not a property of the machine: only drift
    and disturbances count for that clock.
    """
    samples = list(chain.from_iterable(rounds))
    checks = {
        **disturbance_reasons(disturbance),  # causes before their effects
        f"not settled after a warm-up of {warm.duration_s:.0f} s": not warm.settled,
        f"varies by {coefficient_of_variation(samples):.0%} (CoV)": clock != "age"
        and coefficient_of_variation(samples) > MAX_COEFFICIENT_OF_VARIATION,
        f"rounds differ by {round_spread(rounds):.0%}": clock != "age" and round_spread(rounds) > MAX_ROUND_SPREAD,
        f"drifted by {drift(samples):+.0%}": abs(drift(samples)) > MAX_DRIFT,
    }
    return Verdict(tuple(reason for reason, holds in checks.items() if holds))


def disturbance_reasons(disturbance: Disturbance) -> Mapping[str, bool]:
    """Disturbances of the machine, each with whether it was too high."""
    return {
        f"other programs took {disturbance.other_load_share:.0%} of the processors": disturbance.other_load_share
        > MAX_OTHER_LOAD,
        f"the host took {disturbance.steal_share:.0%} of the processors": disturbance.steal_share > MAX_STEAL,
        f"throttled by heat {disturbance.thermal_throttle_events} times": disturbance.thermal_throttle_events > 0,
        f"throttled by the container's quota {disturbance.quota_throttle_events} times": disturbance.quota_throttle_events > 0,
        f"the board reports {', '.join(disturbance.flags)}": bool(disturbance.flags),
    }
