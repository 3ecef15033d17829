"""Planted changes: benchmarks."""

from __future__ import annotations

from tests.planted.change import Change

CHANGES = (
    Change(
        "benchmark: quick and slow rounds swap",
        "benchmarks/measure/statistics.py",
        "nearest_rank(pairs, 10), nearest_rank(pairs, 90)",
        "nearest_rank(pairs, 90), nearest_rank(pairs, 10)",
        "tests/benchmarks/measure",
    ),
    Change(
        "benchmark: other programs are ignored",
        "benchmarks/measure/verdict.py",
        "> MAX_OTHER_LOAD",
        "> 2",
        "tests/benchmarks/measure",
    ),
    Change(
        "benchmark: always in one order",
        "benchmarks/measure/rounds.py",
        " if turn % 2 == 0 else range(count - 1, -1, -1)",
        "",
        "tests/benchmarks/measure/test_rounds.py",
    ),
    Change(
        "choose: candidates are compared across turns",
        "benchmarks/choose/race.py",
        "    turns = other.rounds.keys() & leader.rounds.keys()",
        "    return [math.log(other.estimate_ms / leader.estimate_ms)] * 10",
        "tests/benchmarks/choose/test_race.py",
    ),
    Change(
        "choose: the fastest wins although fp32 is as fast",
        "benchmarks/choose/decision.py",
        "key=lambda option: (option.exactness, option.candidate.threads, option.p50_ms)",
        "key=lambda option: option.p50_ms",
        "tests/benchmarks/choose/test_decision.py",
    ),
    Change(
        "choose: a changed file keeps its choice",
        "benchmarks/choose/kept.py",
        "{str(path): sha256_of(path) for path in paths}",
        '{str(path): "" for path in paths}',
        "tests/benchmarks/choose/test_kept.py",
    ),
    Change(
        "compare: one file is always measured first",
        "benchmarks/compare/alternation.py",
        "start = first if turn % 2 == 0 else 1 - first",
        "start = 0",
        "tests/benchmarks/compare/test_alternation.py",
    ),
    Change(
        "compare: each look has the whole error",
        "benchmarks/compare/alternation.py",
        "return 1 - (1 - self.confidence) / len(self.looks)",
        "return self.confidence",
        "tests/benchmarks/compare/test_alternation.py",
    ),
    Change(
        "compare: rounds count as independent",
        "benchmarks/compare/separate.py",
        "return float(np.std(winsorized(log_medians(rounds)), ddof=1)), len(rounds) - 1.0",
        "return float(np.std(winsorized(log_medians(rounds)), ddof=1)) / len(rounds) ** 0.5, len(rounds) - 1.0",
        "tests/benchmarks/compare/test_separate.py",
    ),
    Change(
        "compare: a slowdown that may be noise is a regression",
        "benchmarks/compare/finding.py",
        'worse = finding.direction == "worse" and change.value > 1 + self.ratio',
        "worse = change.value > 1 + self.ratio",
        "tests/benchmarks/compare/test_comparison.py",
    ),
)
