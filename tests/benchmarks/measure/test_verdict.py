from __future__ import annotations

import pytest

from edgecnn.benchmarks.measure.timing import WarmUp
from edgecnn.benchmarks.measure.verdict import judge
from edgecnn.devices.counters import Disturbance

WARM = WarmUp(20, 1.0, True)
QUIET = Disturbance()
EVEN = [[10.0, 10.1, 9.9, 10.0]] * 20


def test_even_samples_on_a_quiet_machine_are_stable() -> None:
    verdict = judge("model", EVEN, WARM, QUIET)
    assert verdict.stable
    assert str(verdict) == "STABLE"


@pytest.mark.parametrize(
    ("rounds", "warm", "disturbance", "reason"),
    [
        pytest.param([[10.0, 10.0, 10.0, 30.0]] * 20, WARM, QUIET, "varies by 58%", id="variation"),
        pytest.param([[10.0] * 4] * 10 + [[10.8] * 4] * 10, WARM, QUIET, "drifted by +8%", id="drift"),
        pytest.param([[10.0] * 4, [11.2] * 4] * 12, WARM, QUIET, "rounds differ by 12%", id="rounds"),
        pytest.param(EVEN, WarmUp(900, 30.0, False), QUIET, "warm-up of 30 s", id="cold"),
        pytest.param(EVEN, WARM, Disturbance(other_load_share=0.3), "other programs took 30%", id="other-load"),
        pytest.param(EVEN, WARM, Disturbance(steal_share=0.04), "the host took 4%", id="steal"),
        pytest.param(EVEN, WARM, Disturbance(thermal_throttle_events=2), "heat 2 times", id="heat"),
        pytest.param(EVEN, WARM, Disturbance(quota_throttle_events=9), "quota 9 times", id="quota"),
        pytest.param(EVEN, WARM, Disturbance(flags=("under-voltage",)), "under-voltage", id="board"),
    ],
)
def test_every_doubt_is_named_and_nothing_else(
    rounds: list[list[float]], warm: WarmUp, disturbance: Disturbance, reason: str
) -> None:
    verdict = judge("task", rounds, warm, disturbance)
    assert str(verdict) == "NOISY"
    assert len(verdict.reasons) == 1
    assert reason in verdict.reasons[0]


def test_the_spread_of_frame_age_is_not_held_against_the_machine() -> None:
    assert judge("age", [[10.0, 40.0, 20.0, 33.0]] * 20, WARM, QUIET).stable
    assert not judge("age", EVEN, WARM, Disturbance(other_load_share=0.5)).stable
