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
)
