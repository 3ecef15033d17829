"""Comparisons as a versioned JSON document; benchmarks/README.md documents its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from edgecnn.benchmarks.compare.comparison import Comparison
from edgecnn.benchmarks.compare.finding import Finding, Limits, PointsInterval
from edgecnn.benchmarks.compare.history import Series
from edgecnn.benchmarks.compare.interval import CONFIDENCE

SCHEMA, VERSION = "edgecnn.comparison", 1


def to_document(
    comparisons: Sequence[Comparison], limits: Limits, series: Sequence[Series] = (), extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All comparisons and series; ``extra`` fields come first, such as device and environment of a measurement in alternation."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        **(extra or {}),
        "confidence": CONFIDENCE,
        "max_regression": limits.ratio,
        "max_drop_points": limits.points,
        "regressions": sum(len(one.regressions) for one in comparisons),
        "comparisons": [
            {
                "before": one.before,
                "after": one.after,
                "method": one.method,
                "notes": list(one.notes),
                "noise": list(one.noise),
                "findings": [_finding(finding) for finding in one.findings],
            }
            for one in comparisons
        ],
        "history": [_series(own) for own in series],
    }


def _series(own: Series) -> dict[str, Any]:
    return {**dataclasses.asdict(own), "changes": [dataclasses.asdict(change) for change in own.changes]}


def _finding(finding: Finding) -> dict[str, Any]:
    change = finding.change
    interval = None if change is None else {"value": change.value, "low": change.low, "high": change.high}
    return {
        "file": finding.file,
        "kind": finding.kind,
        "quantity": finding.title,
        "unit": finding.unit,
        "before": finding.before,
        "after": finding.after,
        "difference_points" if isinstance(change, PointsInterval) else "ratio": interval,
        "verdict": finding.verdict,
        "regression": finding.regression,
        "undecided": finding.undecided,
    }
