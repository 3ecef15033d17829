"""JSON text: numbers that are not finite become null, and nothing in the project writes JSON any other way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from edgecnn.json_text import dump_json

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("edgecnn", "runtime", "export", "benchmarks", "devices")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"a": [1.5, float("nan"), {"b": (float("inf"), -0.0)}]}, '{"a":[1.5,null,{"b":[null,-0.0]}]}', id="nested"),
        pytest.param(float("-inf"), "null", id="alone"),
        pytest.param({"a": np.float64("nan")}, '{"a":null}', id="numpy"),
        pytest.param({"é": 1}, '{"\\u00e9":1}', id="plain"),
    ],
)
def test_numbers_that_json_does_not_have_are_null(value: object, text: str) -> None:
    assert dump_json(value, separators=(",", ":")) == text


def test_options_are_those_of_json() -> None:
    assert (
        dump_json({"a": float("nan"), "b": Path("x")}, indent=1, default=str, ensure_ascii=False)
        == '{\n "a": null,\n "b": "x"\n}'
    )
    with pytest.raises(TypeError):
        dump_json(object())


def test_no_other_code_writes_json() -> None:
    """``json.dumps`` writes NaN, which other readers of JSON refuse."""
    found = [
        str(file.relative_to(ROOT))
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.py")
        if file.name != "json_text.py" and re.search(r"\bjson\.dumps?\(|\bfrom json import", file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_json_reader_that_knows_no_nan_reads_it() -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(dump_json([float("nan")]), parse_constant=refuse) == [None]
