"""Profiles of operators: the field of the JSON document and tables for a terminal."""

from __future__ import annotations

from typing import Any

from edgecnn.benchmarks.measure.record import FileRecord, Record
from edgecnn.benchmarks.report.names import ellipsize, format_ms
from edgecnn.columns import align_columns
from edgecnn.runtime.profile.operators import OperatorProfile

TOP = 10


def profile_field(own: FileRecord) -> dict[str, Any] | None:
    """The profile of a file; null where it was not asked for."""
    profile = own.profile
    if profile is None:
        return None
    return {
        "engine": profile.engine,
        "runs": profile.runs,
        "problem": profile.problem or None,
        "total_ms": profile.total_ms,
        "by_type_ms": profile.by_type(),
        "fallbacks": profile.fallbacks(),
        "operators": [
            {
                "operator": one.name,
                "type": one.type,
                "precision": one.precision or None,
                "place": one.place or None,
                "kernel": one.kernel or None,
                "ms": one.ms,
                "share": profile.share(one.ms),
            }
            for one in profile.operators
        ],
    }


def profile_tables(record: Record) -> list[str]:
    """A table of the slowest operators of each file, with the fallbacks below."""
    return [_table(own.name, own.profile) for own in record.files if own.profile is not None]


def _table(name: str, profile: OperatorProfile) -> str:
    if profile.problem:
        return f"no operators of {name}: {profile.problem}"
    head = [f"operators of {ellipsize(name)}", "type", "precision", "ms", "share"]
    rows = [
        [ellipsize(one.name, 40), one.type, one.precision or "-", format_ms(one.ms), f"{profile.share(one.ms):.0%}"]
        for one in profile.top(TOP)
    ]
    shares = [(kind, profile.share(ms)) for kind, ms in profile.by_type().items()]
    # what rounds to 0 % says nothing
    types = ", ".join(f"{kind} {share:.0%}" for kind, share in shares[:6] if share >= 0.005)
    lines = [f"by type: {types}", *(f"not as the rest: {line}" for line in profile.fallbacks())]
    return "\n".join([align_columns([head, *rows], left=3), *lines])
