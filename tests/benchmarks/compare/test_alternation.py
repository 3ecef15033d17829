"""Model files in alternation: the statistics with made-up processes, and one real measurement."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.benchmarks.compare.alternation import Alternation, PairPlan, certain, measure_alternation, processor
from edgecnn.benchmarks.compare.finding import Finding, Limits
from edgecnn.benchmarks.compare.interval import RatioInterval
from edgecnn.benchmarks.compare.models import compare_models, judge_all
from edgecnn.benchmarks.compare.quantities import latency_finding
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.process import LoadReport
from edgecnn.errors import InputError


class Machine:
    """A noisy machine: its speed drifts and jumps while time goes on."""

    def __init__(self, seed: int, deviation: float) -> None:
        self.random = np.random.default_rng(seed)
        self.deviation = deviation
        self.shift = 0.0

    def step(self) -> float:
        """The next logarithmic shift of all times."""
        self.shift = 0.97 * self.shift + self.random.normal(0, self.deviation)
        return self.shift + (2.0 if self.random.random() < 0.05 else 0.0)


class MadeUpProcess:
    """In place of a ModelProcess: each start has its own shift, each round the machine's."""

    def __init__(self, machine: Machine, factor: float) -> None:
        self.machine = machine
        self.level = 5.0 * factor * np.exp(machine.random.normal(0, 0.01))
        cold = {"python_ms": 20.0, "import_ms": 300 * np.exp(machine.step()), "load_ms": 1.0, "first_prediction_ms": 1.0}
        self.load_report = LoadReport(cold, 80 + machine.random.normal(), None, 1)  # type: ignore[arg-type]

    def ask(self, name: str, **_: Any) -> Any:
        if name == "measure_with_processor":
            shift, random = self.machine.step(), self.machine.random
            samples = self.level * np.exp(shift) * (1 + random.gamma(2, 0.01, 30))
            samples *= np.where(random.random(30) < 0.1, 1 + random.pareto(1.2, 30), 1)
            return samples.tolist(), (self.level * (1 + random.gamma(2, 0.01, 30))).tolist()
        return None

    def __enter__(self) -> MadeUpProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def measured(machine: Machine, factor: float, plan: PairPlan) -> Alternation:
    def opener(own: float) -> Callable[[], Any]:
        return lambda: MadeUpProcess(machine, own)

    return measure_alternation(opener(1.0), opener(factor), "", ("model",), plan)


PLAN = PairPlan()


def said(found: Alternation) -> int:
    """1 for slower, -1 for faster, 0 for no difference: by the latency, else by the processor time."""
    for name in ("model", processor("model")):
        own = found.interval(name, PLAN.look_confidence)
        assert own is not None
        if own.shown:
            return 1 if own.value > 1 else -1
    return 0


@pytest.mark.parametrize("deviation", [0.002, 0.05, 0.3])
def test_equal_files_are_rarely_called_different(deviation: float) -> None:
    """99 % confidence: at most 4 of 100 by chance (a probability of 0.4 % to have more)."""
    found = 0
    for seed in range(100):
        found += said(measured(Machine(seed, deviation), 1.0, PLAN)) != 0
    assert found <= 4


@pytest.mark.parametrize(("factor", "deviation", "least"), [(1.03, 0.002, 18), (1.1, 0.02, 20), (1 / 1.1, 0.02, 20)])
def test_a_planted_difference_is_found(factor: float, deviation: float, least: int) -> None:
    found = 0
    for seed in range(20):
        found += said(measured(Machine(seed, deviation), factor, PLAN)) == (1 if factor > 1 else -1)
    assert found >= least


def test_rounds_go_a_b_b_a_and_pairs_begin_with_the_other_file() -> None:
    order: list[str] = []

    class Noted(MadeUpProcess):
        name = ""

        def ask(self, name: str, **values: Any) -> Any:
            order.extend([self.name] if name == "measure_with_processor" else [])
            return super().ask(name, **values)

    def opener(name: str) -> Callable[[], Any]:
        def start() -> Noted:
            order.append(f"start {name}")
            process = Noted(Machine(1, 0.01), 1.0)
            process.name = name
            return process

        return start

    measure_alternation(opener("a"), opener("b"), "", ("model",), PairPlan(looks=(2,), rounds=2))
    assert order == ["start a", "start b", "a", "b", "b", "a", "start b", "start a", "b", "a", "a", "b"]


def test_measuring_ends_as_soon_as_the_result_is_certain() -> None:
    quiet = measured(Machine(1, 0.001), 1.3, PLAN)
    assert len(quiet.ratios) == PLAN.looks[0]
    assert certain(quiet, ("model",), PLAN)
    assert len(measured(Machine(1, 0.02), 1.0, PLAN).ratios) == PLAN.looks[-1]


def test_where_noise_hides_the_latency_the_processor_time_shows_a_slowdown() -> None:
    noisy = measured(Machine(1, 0.4), 1.1, PLAN)
    latency, spent = (noisy.interval(name, PLAN.look_confidence) for name in ("model", processor("model")))
    assert latency is not None
    assert spent is not None
    assert not latency.shown
    assert spent.low > 1.05
    assert len(noisy.ratios) == PLAN.looks[0]  # the latency would stay as uncertain


def test_a_processor_time_is_a_regression_only_where_the_latency_shows_nothing() -> None:
    def rows(latency: RatioInterval) -> list[bool]:
        spent = RatioInterval(1.2, 1.15, 1.25)
        found = (
            latency_finding("a", "model p50", 1.0, latency.value, latency),
            Finding("a", "processor", "model processor time", "ms", 1.0, 1.2, spent, "worse"),
        )
        return [one.regression for one in judge_all(found, Limits(0.05))]

    assert rows(RatioInterval(1.1, 0.8, 1.5)) == [False, True]  # lost in noise
    assert rows(RatioInterval(0.7, 0.6, 0.8)) == [False, False]  # faster with more threads
    assert rows(RatioInterval(1.2, 1.1, 1.3)) == [True, False]


def test_the_confidence_is_shared_among_the_looks() -> None:
    assert PairPlan(looks=(10,)).look_confidence == pytest.approx(0.99)
    assert PairPlan(looks=(10, 20), confidence=0.9).look_confidence == pytest.approx(0.95)


@pytest.mark.parametrize("wrong", [{"rounds": 3}, {"rounds": 0}, {"looks": ()}, {"looks": (5, 5)}])
def test_wrong_plans_raise(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        PairPlan(**wrong)


BRIEF = PairPlan(looks=(2,), rounds=2, runs_per_round=3, round_s=0.0, warm_up_s=0.0, confidence=0.4)


def test_two_files_are_measured_in_alternation(classifier: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(classifier.read_bytes())
    config = BenchmarkConfig(files=(classifier, other), threads=1, clocks=("model", "task"))
    (found,) = compare_models(config, Limits(0.05), BRIEF)
    assert [one.title for one in found.comparison.findings] == [
        "model p50",
        "model processor time",
        "task p50",
        "task processor time",
        "cold start",
        "peak memory",
        "file size",
    ]
    assert (found.comparison.before, found.comparison.after) == (classifier.name, "other.onnx")
    assert found.comparison.findings[-1].verdict == "equal"
    assert "2 pairs of processes" in found.comparison.method
    own = found.to_document()["pairs"]["model"]
    assert [len(own[name]) for name in ("before", "after", "ratio")] == [2, 2, 2]
    assert all(0.01 < value < 100 for value in own["ratio"])


def test_models_of_other_tasks_are_refused(classifier: Path, detector: Path) -> None:
    config = BenchmarkConfig(files=(classifier, detector), threads=1, clocks=("model",))
    with pytest.raises(InputError, match=r"is a model to classify, and boxes-fp32\.onnx is a model to detect"):
        compare_models(config, Limits(), BRIEF)
