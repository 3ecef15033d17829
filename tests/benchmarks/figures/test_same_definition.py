"""The figure that puts --as benchmark_app beside the real tool: reading its output, ratios, the target."""

from __future__ import annotations

import pytest

from edgecnn.benchmarks.figures.same_definition import DefinitionPair, is_within, parsed, summary, table
from edgecnn.errors import BackendError

PRINTED = (
    "[ INFO ] Latency:\n[ INFO ]    Median:        {}\n[ INFO ]    Average:       9.99 ms\n[ INFO ] Throughput:   250.50 FPS\n"
)


def test_milliseconds_and_microseconds_are_read() -> None:
    assert parsed(PRINTED.format("4.25 ms")) == (4.25, 250.5)
    assert parsed(PRINTED.format("212.40 us")) == (pytest.approx(0.2124), 250.5)


def test_an_output_without_numbers_is_said() -> None:
    with pytest.raises(BackendError, match="printed no result: nothing"):
        parsed("nothing")


def test_the_ratio_is_the_median_over_the_pairs() -> None:
    pairs = [DefinitionPair("a.xml", "latency", 10.0, 100.0, own, 1000 / own) for own in (10.2, 30.0, 9.9)]
    (row,) = summary(pairs)
    assert (row["ratio_ms"], row["ratio_ms_min"], row["ratio_ms_max"]) == (pytest.approx(1.02), pytest.approx(0.99), 3.0)
    assert is_within(row)
    assert "within 5%: reached" in table([row])


def test_a_file_outside_the_target_is_named() -> None:
    (row,) = summary([DefinitionPair("a.xml", "throughput", 10.0, 100.0, 10.0, 90.0)])
    assert not is_within(row)
    assert "not reached: a.xml throughput" in table([row])
