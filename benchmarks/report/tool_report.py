"""A measurement by another tool's definition, as text and as a JSON document."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgecnn.benchmarks.measure.tools.run import FileByTool, ToolRecord
from edgecnn.benchmarks.report.document import json_values
from edgecnn.columns import align_columns
from edgecnn.cpus import threads_text

SCHEMA, VERSION = "edgecnn.benchmark_as", 1


def tool_text(record: ToolRecord) -> str:
    """The values under the tool's own names, then its definition."""
    head = f"as {record.title} · {record.device.name}, {threads_text(record.threads)} · inputs: {record.inputs}"
    names = list(dict.fromkeys(name for own in record.files for name in own.report.values))
    rows = [[record.tool, *(own.name for own in record.files)]]
    rows += [[name, *(_shown(own, name) for own in record.files)] for name in names]
    meaning = record.definition
    words = [("timed", meaning.timed), ("warm-up", meaning.warm_up), ("duration", meaning.duration)]
    words += [("statistic", meaning.statistic), ("defined by", meaning.source)]
    lines = [f"{title}: {text}" for title, text in words]
    notes = dict.fromkeys(note for own in record.files for note in own.report.notes)
    if record.scale < 1:
        notes = {f"--quick: durations are {record.scale:.0%} of the tool's own": None, **notes}
    noisy = [f"NOISY {own.name}: {'; '.join(own.reasons)}" for own in record.files if own.reasons]
    return "\n\n".join([head, align_columns(rows, left=1), "\n".join([*lines, *notes, *noisy])])


def _shown(own: FileByTool, name: str) -> str:
    value = own.report.values.get(name, "")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def tool_document(record: ToolRecord) -> dict[str, Any]:
    """The same as JSON values, with all samples."""
    values: dict[str, Any] = json_values(
        {
            "schema": SCHEMA,
            "version": VERSION,
            "tool": record.tool,
            "variant": record.variant or None,
            "definition": dataclasses.asdict(record.definition),
            "duration_scale": record.scale,
            "device": {**dataclasses.asdict(record.device), "slug": record.device.slug},
            "environment": dataclasses.asdict(record.environment),
            "threads": record.threads,
            "inputs": record.inputs,
            "files": [_file(own) for own in record.files],
        }
    )
    return values


def _file(own: FileByTool) -> dict[str, Any]:
    report = own.report
    return {
        "name": own.name,
        "sha256": own.sha256,
        "values": report.values,
        "duration_s": report.seconds,
        "notes": report.notes,
        "reasons": own.reasons,
        "samples_ms": report.samples_ms,
    }
