"""Records as `edgecnn benchmark --json` writes them, from made-up samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn.benchmarks.compare.record_file import MeasuredRun, measured_run
from edgecnn.benchmarks.report.document import to_document

Document = dict[str, Any]


@pytest.fixture
def document(record_of: Callable[..., Any]) -> Callable[..., Document]:
    """The JSON document of a made-up record; ``slower`` multiplies all samples."""

    def make(
        *, slower: float = 1.0, files: tuple[str, ...] = ("cups-fp32.onnx",), seed: int = 0, scored: bool = False
    ) -> Document:
        found: Document = json.loads(json.dumps(to_document(record_of(files, scored=scored, seed=seed))))
        for own in found["files"]:
            for clock in own["clocks"].values():
                clock["samples_ms"] = [value * slower for value in clock["samples_ms"]]
        return found

    return make


@pytest.fixture
def run(document: Callable[..., Document]) -> Callable[..., MeasuredRun]:
    """A made-up record, read; ``change`` may alter its document first."""

    def make(name: str = "a.json", change: Callable[[Document], object] = lambda _: None, **values: Any) -> MeasuredRun:
        own = document(**values)
        change(own)
        return measured_run(own, name)

    return make


@pytest.fixture
def stored(tmp_path: Path, document: Callable[..., Document]) -> Callable[..., Path]:
    """A made-up record in a file."""

    def make(name: str, **values: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(document(**values)))
        return path

    return make
