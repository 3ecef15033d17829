from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate
from edgecnn.benchmarks.choose.decision import Option, decide
from edgecnn.benchmarks.choose.judgement import LossJudgement, VariantAccuracy
from edgecnn.benchmarks.choose.race import NOT_MEASURED, Racer
from edgecnn.benchmarks.choose.report import command, decision_lines, to_text
from edgecnn.benchmarks.choose.run import Choice
from edgecnn.devices import DeviceProfile
from edgecnn.metrics.left_out import Difference

FULL = VariantAccuracy(200, "map", 0.600)


def option(
    ms: float,
    precision: str = "fp32",
    engine: str = "onnxruntime",
    threads: int = 2,
    accuracy: VariantAccuracy | None = FULL,
    **more: Any,
) -> Option:
    candidate = RunCandidate(EngineVariant(Path(f"/models/net-{precision}.onnx"), engine), threads)
    rounds = dict.fromkeys(range(10), (ms, ms, ms, ms * 1.2))
    sizes = {"memory_bytes": 100_000_000, "size_bytes": 4_000_000}
    entry = Racer(candidate, rounds, more.pop("out", ""))
    return Option(name=f"net-{precision}.onnx", entry=entry, precision=precision, accuracy=accuracy, **{**sizes, **more})


def decided(options: list[Option], budget: Budget | None = None, reference: VariantAccuracy = FULL) -> Any:
    budget = budget or Budget()
    finalists = sorted((one for one in options if not one.entry.out), key=lambda one: one.p50_ms)
    return decide(options, [one.entry for one in finalists], budget, LossJudgement(budget, reference))


def choice(decision: Any, *, labelled: bool = True, noise: tuple[str, ...] = ()) -> Choice:
    device = DeviceProfile("Board", "aarch64", "CPU", 4, 4)
    return Choice(decision=decision, device=device, paths=(), inputs="", labelled=labelled, seconds=9, noise=noise)


def test_int8_that_gains_is_chosen_with_what_it_loses() -> None:
    full, small = option(10.0), option(2.0, "int8", accuracy=VariantAccuracy(200, "map", 0.596))
    found = decided([full, small])
    assert (found.chosen, found.second) == (small, full)
    assert found.reasons == (
        "it is the fastest of 2 candidates that lose at most 1.0 points",
        "int8 is 5.0 times as fast as fp32 here (2.00 against 10.00 ms) and loses 0.4 points",
    )


@pytest.mark.parametrize("ms", [2.0, 1.97])
def test_fp32_is_kept_where_int8_does_not_gain(ms: float) -> None:
    full, small = option(2.0), option(ms, "int8")
    found = decided([full, small])
    assert found.chosen is full
    assert found.reasons[-1].startswith("keep fp32: int8 is not faster here")


def test_fp32_is_kept_where_int8_is_not_exact_enough() -> None:
    full, small = option(2.0), option(1.0, "int8", out="loses 3.1 points, more than 1.0 points")
    found = decided([full, small])
    assert found.chosen is full
    assert found.second is None
    assert found.reasons[-1] == "keep fp32: the fastest int8 file loses 3.1 points, more than 1.0 points"


def test_of_equally_fast_candidates_the_more_exact_one_then_the_one_with_fewer_threads() -> None:
    bf16, full = option(2.0, engine="openvino:bf16"), option(2.03, engine="openvino")
    assert decided([bf16, full]).chosen is full
    assert "more exact (fp32 against bf16)" in decided([bf16, full]).reasons[0]
    two, one = option(2.0), option(2.03, threads=1)
    assert decided([two, one]).chosen is one
    assert decided([two, option(2.1, threads=1)]).chosen is two


def test_the_limit_of_latency_is_on_the_90th_percentile() -> None:
    full = option(10.0)  # a quarter of its runs take 12 ms
    assert decided([full], Budget(max_latency_ms=12.1)).chosen is full
    found = decided([full], Budget(max_latency_ms=11.0))
    assert found.chosen is None
    assert found.nearest is full
    assert found.reasons == ("latency (p90) 12.00 ms is above --max-latency by 9.1 %",)
    assert decision_lines(choice(found))[0] == "nothing keeps to the limits"
    assert decided([full], Budget(max_latency_ms=4.0)).reasons == ("latency (p90) 12.00 ms is above --max-latency, 3.0 times it",)


def test_the_nearest_is_the_one_with_the_smallest_excess() -> None:
    slow = option(20.0)
    inexact = option(5.0, "int8", accuracy=VariantAccuracy(200, "map", 0.57), out="mAP@50-95 57.0 % is below 59.0 %")
    found = decided([slow, inexact], Budget(max_latency_ms=12.0, min_accuracy=0.59))
    assert found.nearest is inexact
    assert found.reasons == ("mAP@50-95 57.0 % is below 59.0 % by 3.4 %",)


def test_the_default_loss_gives_way_to_the_limits_of_the_user() -> None:
    slow = option(20.0)
    worst = option(
        4.0, "int8", engine="openvino", accuracy=VariantAccuracy(200, "map", 0.50), out="loses 10.0 points, more than 1.0 points"
    )
    better = option(5.0, "int8", accuracy=VariantAccuracy(200, "map", 0.57), out="loses 3.0 points, more than 1.0 points")
    found = decided([slow, worst, better], Budget(max_latency_ms=12.0))
    assert found.chosen is better
    assert found.reasons == ("it is the most exact candidate within the limits, but loses 3.0 points",)
    assert decided([slow, worst, better], Budget(max_latency_ms=12.0, max_drop=1.0)).chosen is None


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"max_memory_bytes": 80_000_000}, "memory 100 MB is above --max-memory by 25.0 %"),
        ({"max_size_bytes": 3_200_000}, "size 4.00 MB is above --max-size by 25.0 %"),
    ],
)
def test_memory_and_size(limit: dict[str, int], said: str) -> None:
    assert decided([option(2.0)], Budget(**limit)).reasons == (said,)  # type: ignore[arg-type]
    assert decided([option(2.0)], Budget(**{name: 2 * value for name, value in limit.items()})).chosen is not None  # type: ignore[arg-type]


def test_lines_and_command() -> None:
    full = option(10.0, engine="openvino:bf16", threads=1)
    lines = decision_lines(choice(decided([full]), labelled=False, noise=("other programs took 9 % of the processors",)))
    assert (
        lines[0]
        == "choice: net-fp32.onnx in openvino:bf16, 1 thread, 10.00 ms (p90 12.00), mAP@50-95 60.0 %, 100 MB of memory, 4.00 MB"
    )
    assert lines[1] == "  it is the only candidate"
    assert "accuracy was not measured; add --data" in lines
    assert lines[-1] == "NOISY: other programs took 9 % of the processors; measure again on a quiet machine"
    assert command(full) == "edgecnn run /models/net-fp32.onnx --engine openvino:bf16 --threads 1"


@pytest.mark.parametrize(
    ("budget", "reached", "reason"),
    [
        (Budget(), 0.591, ""),
        (Budget(), 0.589, "loses 1.1 points, more than 1.0 points"),
        (Budget(max_drop=2.0), 0.581, ""),
        (Budget(max_drop=0.0), 0.599, "loses 0.1 points, more than 0.0 points"),
        (Budget(min_accuracy=0.55), 0.55, ""),
        (Budget(min_accuracy=0.55), 0.549, "mAP@50-95 54.9 % is below 55.0 %"),
    ],
)
def test_judgement_on_labelled_data(budget: Budget, reached: float, reason: str) -> None:
    assert LossJudgement(budget, FULL).reason(VariantAccuracy(200, "map", reached)) == reason


def test_judgement_in_decibels_and_by_agreement() -> None:
    reference = VariantAccuracy(50, "psnr", 31.0)
    assert LossJudgement(Budget(max_drop=0.5), reference).reason(VariantAccuracy(50, "psnr", 30.6)) == ""
    assert (
        LossJudgement(Budget(max_drop=0.5), reference).reason(VariantAccuracy(50, "psnr", 30.4))
        == "loses 0.60 dB, more than 0.50 dB"
    )
    assert LossJudgement(Budget(), VariantAccuracy(0)).reason(VariantAccuracy(32, agreement=0.9)) == ""
    assert (
        LossJudgement(Budget(), VariantAccuracy(0))
        .reason(VariantAccuracy(32, agreement=0.8))
        .startswith("only 80 % of its predictions")
    )


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="max_latency_ms is -1"):
        Budget(max_latency_ms=-1)


def test_the_table_names_what_was_chosen_and_below_it_what_did_not_run() -> None:
    full, small = option(10.0), option(2.0, "int8", out="loses 3.0 points, more than 1.0 points")
    broken = dataclasses.replace(full, entry=Racer(full.candidate, out="it is damaged"))
    lines = to_text(choice(decided([full, small, broken])), Budget()).splitlines()
    rows = [line for line in lines if line.startswith("net-")]
    assert [row.split("  ")[-1].strip() for row in rows] == ["chosen", "loses 3.0 points, more than 1.0 points", "not run"]
    assert "not run: net-fp32.onnx in onnxruntime: it is damaged" in lines


def test_a_choice_without_time_for_its_accuracy_says_so() -> None:
    found = decided([option(2.0, accuracy=None), option(1.0, "int8", accuracy=None, out=NOT_MEASURED)])
    lines = decision_lines(choice(found))
    assert "accuracy was not measured in the time of --max-minutes, so the most exact file is kept" in lines


def test_what_was_not_measured_is_named_once_below_the_table() -> None:
    late = [dataclasses.replace(option(1.0, "int8", threads=threads), entry=late_racer(threads)) for threads in (2, 1)]
    text = to_text(choice(decided([option(2.0), *late])), Budget())
    assert "over: net-int8.onnx in onnxruntime, 2 threads; net-int8.onnx in onnxruntime, 1 thread" in text
    assert "not run: net-int8" not in text


def late_racer(threads: int) -> Racer:
    return Racer(RunCandidate(EngineVariant(Path("/models/net-int8.onnx"), "onnxruntime"), threads), {}, NOT_MEASURED)


def test_a_loss_that_is_not_certain_keeps_fp32_and_says_what_can_decide() -> None:
    reason = "may lose more than 1.0 points: loses 0.4 points (from a gain of 0.3 points to a loss of 1.1 points) on 200 images"
    found = decided([option(2.0), option(1.0, "int8", out=reason)])
    assert found.reasons[-1] == f"keep fp32: the fastest int8 file {reason}"
    assert any("more images, --max-minutes or --max-drop can decide" in line for line in decision_lines(choice(found)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-0.004, "loses 0.4 points (from a gain of 0.3 points to a loss of 1.1 points) on 200 images"),
        (0.004, "gains 0.4 points (from a loss of 0.3 points to a gain of 1.1 points) on 200 images"),
        (0.0001, "loses nothing (from a loss of 0.7 points to a gain of 0.7 points) on 200 images"),
    ],
)
def test_a_loss_or_a_gain_is_told_with_its_interval(value: float, said: str) -> None:
    change = Difference(value, value - 0.007, value + 0.007)
    small = option(2.0, "int8", accuracy=VariantAccuracy(200, "map", 0.6 + value, change=change))
    assert decided([option(10.0), small]).reasons[1].endswith(f" and {said}")


def test_a_gain_of_the_most_exact_candidate_is_no_negative_loss() -> None:
    slow = option(20.0)
    better = option(5.0, "int8", accuracy=VariantAccuracy(200, "map", 0.602), out="may lose more than 1.0 points")
    found = decided([slow, better], Budget(max_latency_ms=12.0))
    assert found.reasons == ("it is the most exact candidate within the limits, and gains 0.2 points",)
