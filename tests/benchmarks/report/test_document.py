from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecnn.benchmarks.measure.record import Record
from edgecnn.benchmarks.report.document import SCHEMA, VERSION, json_values, to_document, to_json
from edgecnn.types import nearest_rank

ROOT = Path(__file__).parents[3]


def test_the_document_survives_json_and_keeps_every_sample(record_of: Callable[..., Record]) -> None:
    record = record_of()
    found = json.loads(to_json(to_document(record)))
    assert (found["schema"], found["version"]) == (SCHEMA, VERSION)
    for own, row in zip(record.files, found["files"], strict=True):
        for clock, measured in own.clocks.items():
            samples = row["clocks"][clock]["samples_ms"]
            assert samples == pytest.approx(measured.latency.samples_ms, abs=1e-4)
            assert sum(row["clocks"][clock]["round_sizes"]) == len(samples) == row["clocks"][clock]["count"]


def test_statistics_agree_with_the_samples_beside_them(record_of: Callable[..., Record]) -> None:
    for row in to_document(record_of())["files"]:
        for clock in row["clocks"].values():
            assert clock["p50_ms"] <= clock["p90_ms"] <= clock["p95_ms"] <= clock["p99_ms"] <= clock["max_ms"]
            assert clock["p99_ms"] == nearest_rank(clock["samples_ms"], 99)
            assert clock["p99_bound_ms"] >= clock["p99_ms"]
            assert sum(clock["samples_ms"]) / clock["count"] == pytest.approx(clock["mean_ms"], rel=1e-4)


def test_accuracy_ratio_and_verdict_stand_in_the_same_row(record_of: Callable[..., Record]) -> None:
    found = to_document(record_of())
    row = found["files"][1]
    assert found["reference"] == found["files"][0]["name"]
    assert row["accuracy"]["primary"] == row["accuracy"]["values"]["map"]
    assert row["clocks"]["model"]["speedup"]["ratio"] > 1
    assert row["verdict"] in ("STABLE", "NOISY")


def test_every_field_is_documented(record_of: Callable[..., Record]) -> None:
    free = {
        "packages",
        "values",
        "per_class",
        "ap50_per_class",
        "support",
        "protocol",
    }  # their keys are names of packages, metrics, classes
    words = set(re.findall(r"\w+", (ROOT / "benchmarks" / "README.md").read_text()))

    def names(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from () if key in free else names(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from names(inner)

    document = to_document(record_of())
    assert sorted({*names(document), *document["protocol"]} - words) == []


def test_without_data_there_is_no_accuracy(record_of: Callable[..., Record]) -> None:
    assert to_document(record_of(scored=False))["files"][0]["accuracy"] is None


def test_what_is_not_a_number_is_null() -> None:
    assert json_values({"a": (math.nan, 1 / 3), "b": math.inf}) == {"a": [None, 0.3333], "b": None}


def test_numbers_stand_on_one_line_and_texts_do_not_suffer() -> None:
    text = to_json({"numbers": [1, 2.5, -3e-05], "text": "a [\n1\n] b", "words": ["x"]})
    assert '"numbers": [1,2.5,-3e-05]' in text
    assert json.loads(text) == {"numbers": [1, 2.5, -3e-05], "text": "a [\n1\n] b", "words": ["x"]}
