from __future__ import annotations

import math

import pytest

from edgecnn.benchmarks.choose.candidates import RunCandidate
from edgecnn.benchmarks.choose.race import MARGINS, MOST_TURNS, NOT_MEASURED, Race, Racer, by_speed, clearly_slower, ratio
from edgecnn.errors import InputError
from tests.benchmarks.choose.made_up import MadeUpTrials, variant

FP32, INT8, BF16, SLOW = variant("fp32"), variant("int8"), variant("fp32", "openvino:bf16"), variant("fp32", "pytorch")


def entry(*rounds: float, first: int = 0) -> Racer:
    return Racer(RunCandidate(FP32, 1), {first + turn: (ms, ms, ms) for turn, ms in enumerate(rounds)})


def race(trials: MadeUpTrials, threads: tuple[int, ...] = (2,), seconds: float = 100) -> tuple[Race, list[RunCandidate]]:
    made = Race(trials, seconds)
    return made, [one.candidate for one in made.run(trials.times, threads)]


@pytest.mark.parametrize("seed", range(10))
def test_the_fastest_wins_on_a_machine_with_other_work(seed: int) -> None:
    times = {variant(f"file{index}"): 5.0 * 1.06**index for index in range(8)}
    trials = MadeUpTrials(times, noise=0.1, busy=3.0, seed=seed)
    _, finalists = race(trials)
    assert times[finalists[0].variant] <= 5.0 * 1.06
    assert variant("file7") not in {one.variant for one in finalists}


def test_only_what_may_win_is_judged() -> None:
    trials = MadeUpTrials({FP32: 10.0, INT8: 3.0, BF16: 5.0, SLOW: 60.0})
    made, finalists = race(trials)
    assert finalists == [RunCandidate(INT8, 2)]
    assert trials.judged == [INT8]
    second = made.second(made.entries[1])
    assert second is not None
    assert second.candidate.variant == BF16


def test_the_next_is_judged_where_the_fastest_are_not_exact_enough() -> None:
    trials = MadeUpTrials(
        {FP32: 10.0, INT8: 3.0, BF16: 5.0, SLOW: 60.0}, inexact={INT8: "loses 9 points", BF16: "loses 2 points"}
    )
    made, finalists = race(trials, threads=(2, 1))
    assert {one.variant for one in finalists} == {FP32}
    assert trials.judged == [INT8, BF16, FP32]
    assert [one.out for one in made.entries[:4]] == ["", "loses 9 points", "loses 2 points", ""]


def test_nothing_can_be_chosen() -> None:
    made, finalists = race(MadeUpTrials({FP32: 10.0, INT8: 3.0}, inexact={FP32: "bad", INT8: "bad"}))
    assert finalists == []
    assert [one.out for one in made.entries] == ["bad", "bad"]


def test_fewer_threads_are_tried_for_those_that_may_win() -> None:
    trials = MadeUpTrials({FP32: {4: 8.0, 2: 6.0, 1: 9.0}, SLOW: {4: 80.0, 2: 1.0, 1: 1.0}})
    made, finalists = race(trials, threads=(4, 2, 1))
    assert finalists == [RunCandidate(FP32, 2)]
    assert [(one.candidate.variant, one.candidate.threads) for one in made.entries] == [
        (FP32, 4),
        (SLOW, 4),
        (FP32, 2),
        (FP32, 1),
    ]


def test_equally_fast_candidates_all_reach_the_end() -> None:
    _, finalists = race(MadeUpTrials({FP32: 5.0, INT8: 5.0}, noise=0.01))
    assert {one.variant for one in finalists} == {FP32, INT8}


def test_what_fails_is_out_and_the_others_go_on() -> None:
    trials = MadeUpTrials({FP32: 5.0, INT8: 3.0, BF16: 3.1}, broken=(INT8,), dies_after={BF16: 60})
    made, finalists = race(trials)
    assert finalists == [RunCandidate(FP32, 2)]
    assert [one.out for one in made.entries] == ["", "it can't be loaded", "it died"]


def test_an_error_of_the_input_ends_the_race() -> None:
    class Trials(MadeUpTrials):
        def load(self, candidate: RunCandidate) -> None:
            raise InputError("other data", "name others")

    with pytest.raises(InputError, match="other data"):
        race(Trials({FP32: 5.0}))


def test_the_time_limit_ends_the_final() -> None:
    times = {variant(f"file{index}"): 5.0 for index in range(6)}
    short, long = (MadeUpTrials(times, noise=0.3) for _ in range(2))
    race(short, seconds=1)
    race(long, seconds=1e6)
    assert short.seconds < long.seconds
    assert max(short.runs.values()) < max(long.runs.values())
    assert MOST_TURNS * 0.3 * 6 < long.seconds < 2 * MOST_TURNS * 0.3 * 6 + 60


def test_when_the_time_is_over_no_more_candidates_are_judged() -> None:
    times = {variant(f"file{index}"): 5.0 + index / 1000 for index in range(12)}
    patient, hurried = MadeUpTrials(times, noise=0.1), MadeUpTrials(times, noise=0.1)
    race(patient, seconds=1e6)
    made, finalists = race(hurried, seconds=15)
    assert len(hurried.judged) < len(patient.judged)
    assert {one.variant for one in finalists} <= set(hurried.judged)
    assert finalists
    second = made.second(made.entries[0])
    assert second is None or second.candidate.variant in hurried.judged


@pytest.mark.parametrize("limit", [2, 6, 9, 14, 20, 40])
def test_the_hard_limit_of_time_ends_everything(limit: float) -> None:
    times = {variant(f"file{index}"): 500.0 + index for index in range(12)}
    trials = MadeUpTrials(times, noise=0.1, limit=limit)
    made, finalists = race(trials, threads=(2, 1), seconds=0.55 * limit)
    assert trials.seconds < limit + 7  # the step in progress: a turn of 1.6 s, or a judgement of 5 s
    assert {one.out for one in made.entries if not one.rounds} <= {NOT_MEASURED}
    assert [one for one in made.entries if one.rounds]
    assert finalists
    made.compare(made.entries[:2])
    made.second(made.entries[0])
    assert trials.seconds < limit + 7


def test_a_candidate_that_runs_out_of_time_keeps_what_was_timed() -> None:
    trials = MadeUpTrials({FP32: 5.0, INT8: 5.0}, limit=7)
    made, finalists = race(trials)
    assert [one.out for one in made.entries] == ["", ""]
    assert {one.variant for one in finalists} <= {FP32, INT8}


def test_more_turns_come_before_a_second_judgement() -> None:
    trials = MadeUpTrials({FP32: 5.0, INT8: 5.4}, noise=0.03)  # four turns can't tell them apart, ten can
    race(trials)
    assert trials.judged == [FP32]


def test_candidates_are_compared_by_the_turns_of_both() -> None:
    quiet, busy = entry(10, 10, 10, first=0), entry(9, 9, 9, 27, 27, 27, first=0)
    late = entry(30, 30, 30, first=3)
    assert ratio(late, busy).value == pytest.approx(30 / 27)
    assert ratio(busy, quiet).value == pytest.approx(0.9)
    assert by_speed([quiet, busy])[0] is busy
    assert ratio(late, quiet).high == math.inf
    assert clearly_slower(late, quiet)  # three times its time, though in no common turn


@pytest.mark.parametrize("turns", range(1, max(MARGINS) + 1))
def test_after_few_turns_only_a_large_difference_counts(turns: int) -> None:
    margin = MARGINS[turns]
    assert clearly_slower(entry(*[10 * margin * 1.01] * turns), entry(*[10.0] * turns))
    assert not clearly_slower(entry(*[10 * margin * 0.99] * turns), entry(*[10.0] * turns))


def test_after_many_turns_three_percent_count_and_one_does_not() -> None:
    base = [10 + 0.02 * (turn % 5) for turn in range(10)]
    assert clearly_slower(entry(*[1.03 * ms for ms in base]), entry(*base))
    assert not clearly_slower(entry(*[1.01 * ms for ms in base]), entry(*base))
    peaks = [ms * (4 if turn in (2, 7) else 1) for turn, ms in enumerate(base)]
    assert not clearly_slower(entry(*peaks), entry(*base))
