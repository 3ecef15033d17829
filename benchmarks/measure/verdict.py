"""Whether a measurement can be trusted: STABLE, or NOISY with every reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from edgecnn.benchmarks.measure.loop import WarmUp
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.statistics import Rounds, drift, round_spread, variation
from edgecnn.devices.counters import Disturbance

# Meant so that a STABLE p50 comes out within about 5 % when it is measured again; to be revised as results are recorded.
MOST_VARIATION = 0.10
MOST_DRIFT = 0.05
MOST_SPREAD = 0.10
MOST_OTHER_LOAD = 0.05
MOST_STEAL = 0.02


@dataclass(frozen=True, slots=True)
class Verdict:
    """STABLE where there is no reason for doubt, else NOISY; ``reasons`` are short and say the number that was too high."""

    reasons: tuple[str, ...] = ()

    @property
    def stable(self) -> bool:
        """Whether nothing speaks against the measurement."""
        return not self.reasons

    def __str__(self) -> str:
        return "STABLE" if self.stable else "NOISY"


def judge(clock: Clock, rounds: Rounds, warm: WarmUp, disturbance: Disturbance) -> Verdict:
    """The verdict on the samples of one clock.

    The age of a frame depends on where in the camera's period the program stands, so its spread says nothing about the machine:
    only drift and disturbances count there.
    """
    samples = list(chain.from_iterable(rounds))
    checks = {
        **disturbed(disturbance),  # causes before what they cause
        f"not settled after a warm-up of {warm.seconds:.0f} s": not warm.settled,
        f"varies by {variation(samples):.0%} (CoV)": clock != "age" and variation(samples) > MOST_VARIATION,
        f"rounds differ by {round_spread(rounds):.0%}": clock != "age" and round_spread(rounds) > MOST_SPREAD,
        f"drifted by {drift(samples):+.0%}": abs(drift(samples)) > MOST_DRIFT,
    }
    return Verdict(tuple(reason for reason, holds in checks.items() if holds))


def disturbed(disturbance: Disturbance) -> Mapping[str, bool]:
    """What the machine itself tells against a measurement."""
    return {
        f"other programs took {disturbance.other_load:.0%} of the processors": disturbance.other_load > MOST_OTHER_LOAD,
        f"the host took {disturbance.steal:.0%} of the processors": disturbance.steal > MOST_STEAL,
        f"throttled by heat {disturbance.heat_events} times": disturbance.heat_events > 0,
        f"throttled by the container's quota {disturbance.quota_events} times": disturbance.quota_events > 0,
        f"the board reports {', '.join(disturbance.flags)}": bool(disturbance.flags),
    }
