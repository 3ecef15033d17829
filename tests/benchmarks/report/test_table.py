from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from edgecnn.benchmarks.measure.record import Record
from edgecnn.benchmarks.measure.verdict import Verdict
from edgecnn.benchmarks.report.table import ellipsize, format_ms, to_table
from edgecnn.columns import align_columns

LONG = "a-model-whose-name-is-longer-than-anybody-would-like-int8.onnx"


@pytest.mark.parametrize("scored", [pytest.param(True, id="with-accuracy"), pytest.param(False, id="without")])
def test_a_table_fits_in_120_columns_whatever_the_names(record_of: Callable[..., Record], scored: bool) -> None:
    text = to_table(record_of(["cups.safetensors", LONG, LONG.replace(".onnx", ".tflite")], scored=scored))
    assert max(map(len, text.splitlines())) <= 120
    assert ("mAP@50-95" in text) is scored


def test_every_clock_of_every_file_has_its_row(record_of: Callable[..., Record]) -> None:
    text = to_table(record_of())
    for clock in ("model", "task", "age"):
        assert sum(f" {clock} " in line for line in text.splitlines()) == 2


def test_one_file_alone_is_compared_with_nothing(record_of: Callable[..., Record]) -> None:
    assert "speedup" in to_table(record_of())
    assert "speedup" not in to_table(record_of(["a-int8.onnx"]))


def test_doubts_stand_below_the_tables_and_those_of_all_files_once(record_of: Callable[..., Record]) -> None:
    record = record_of(["a-int8.onnx", "b-int8.onnx"])
    one, other = (
        dataclasses.replace(own, clocks={"model": dataclasses.replace(own.clocks["model"], verdict=Verdict(reasons))})
        for own, reasons in zip(record.files, (("too hot",), ("too hot", "drifted")), strict=True)
    )
    lines = to_table(dataclasses.replace(record, files=(one, other))).splitlines()
    start = lines.index("why NOISY    clock")
    assert lines[start + 1 : start + 3] == ["all files    model  too hot", "b-int8.onnx  model  drifted"]


def test_long_doubts_go_on_in_the_next_line(record_of: Callable[..., Record]) -> None:
    record = record_of([LONG])
    reasons = tuple(f"another program took {share} % of the processors" for share in range(10, 90, 10))
    doubtful = dataclasses.replace(record.files[0].clocks["model"], verdict=Verdict(reasons))
    own = dataclasses.replace(record.files[0], clocks={"model": doubtful})
    text = to_table(dataclasses.replace(record, files=(own,)))
    assert max(map(len, text.splitlines())) <= 120
    assert all(reason in " ".join(text.split()) for reason in reasons)


def test_columns_align_words_left_and_numbers_right() -> None:
    assert align_columns([["a", "p"], ["long", "1"], ["b", "10"]], left=1) == "a      p\nlong   1\nb     10"


def test_a_long_name_loses_its_middle() -> None:
    assert ellipsize("abcdefghij", 5) == "ab…ij"
    assert ellipsize("abc", 5) == "abc"


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")], ids=["µs", "1", "10", "1000"]
)
def test_milliseconds_show_three_digits(value: float, text: str) -> None:
    assert format_ms(value) == text
