"""A choice as a versioned JSON document; benchmarks/README.md documents its fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.choose.decision import Decision, Option
from edgecnn.benchmarks.choose.kept import SCHEMA, VERSION
from edgecnn.benchmarks.choose.report import COMMAND, decision_lines
from edgecnn.benchmarks.choose.run import Choice
from edgecnn.data.address import shown_address


def to_document(choice: Choice, circumstances: Mapping[str, Any], made: str) -> dict[str, Any]:
    """All candidates, the decision with its ``lines`` as they are printed, and what the choice depends on."""
    decision = choice.decision
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "made": made,
        "seconds": round(choice.seconds, 1),
        "inputs": choice.inputs,
        "circumstances": dict(circumstances),
        "chosen": _named(decision.chosen, decision),
        "second": _named(decision.second, decision),
        "nearest": _named(decision.nearest, decision),
        "reasons": list(decision.reasons),
        "lines": decision_lines(choice),
        "candidates": [_option(option, decision) for option in decision.options],
        "untried": list(choice.untried),
        "noise": list(choice.noise),
    }


def without_folders(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the names of the files instead of their paths, and without the command that names one: reports are shared."""
    found = {
        name: {**value, "path": Path(value["path"]).name} if isinstance(value, dict) and "path" in value else value
        for name, value in document.items()
    }
    circumstances = dict(document["circumstances"])
    circumstances["files"] = {Path(path).name: digest for path, digest in circumstances["files"].items()}
    if circumstances["data"] is not None:
        circumstances["data"] = {**circumstances["data"], "uri": shown_address(circumstances["data"]["uri"])}
    candidates = [{**one, "path": Path(one["path"]).name} for one in document["candidates"]]
    lines = [line for line in document["lines"] if not line.startswith(COMMAND)]
    return {**found, "circumstances": circumstances, "candidates": candidates, "lines": lines}


def _named(option: Option | None, decision: Decision) -> dict[str, Any] | None:
    if option is None:
        return None
    return {name: value for name, value in _option(option, decision).items() if name != "rounds_ms"}


def _option(option: Option, decision: Decision) -> dict[str, Any]:
    base = decision.chosen or decision.nearest
    accuracy = option.accuracy
    return {
        "path": str(option.candidate.variant.path),
        "engine": option.candidate.variant.engine,
        "threads": option.candidate.threads,
        "precision": option.precision,
        "p50_ms": option.p50_ms,
        "p90_ms": option.limit_ms,
        "times": None if base is None else option.times(base),
        "metric": None if accuracy is None else accuracy.metric or "agreement",
        "accuracy": None if accuracy is None else accuracy.agreement if accuracy.value is None else accuracy.value,
        "images": None if accuracy is None else accuracy.images,
        "memory_bytes": option.memory_bytes,
        "size_bytes": option.size_bytes,
        "out": option.entry.out,
        "rounds_ms": {str(turn): list(samples) for turn, samples in option.entry.rounds.items()},
    }
