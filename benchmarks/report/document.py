"""A Record as a versioned JSON document with all raw samples; benchmarks/README.md documents its fields."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from edgecnn.benchmarks.measure.protocol import CLOCK_MEANING, Clock
from edgecnn.benchmarks.measure.record import ClockRecord, FileRecord, Record
from edgecnn.benchmarks.measure.statistics import coefficient_of_variation, drift, early_stopping_bound, round_spread
from edgecnn.benchmarks.report.profile_report import profile_field
from edgecnn.benchmarks.report.scenarios import scenario_fields
from edgecnn.json_text import dump_json
from edgecnn.types import nearest_rank

SCHEMA = "edgecnn.benchmark"
VERSION = 2
PERCENTILES = (50, 90, 95, 99)


def to_document(record: Record) -> dict[str, Any]:
    """The whole record as JSON values; floats have four decimals, what could not be measured is null."""
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "started": record.started,
        "revision": record.revision,
        "partial": record.partial,
        "protocol": dataclasses.asdict(record.protocol),
        "clocks": {clock: CLOCK_MEANING[clock] for clock in record.clocks},
        "device": {**dataclasses.asdict(record.device), "slug": record.device.slug, "int8_path": record.device.int8_path},
        "environment": dataclasses.asdict(record.environment),
        "disturbance": {clock: dataclasses.asdict(found) for clock, found in record.disturbance.items()},
        "engine_device": record.engine_device,
        "threads": record.threads,
        "inputs": record.inputs,
        "data": record.data,
        "reference": record.reference.name,
        "notes": record.notes(),
        "files": [_file(record, own) for own in record.files],
    }
    values: dict[str, Any] = json_values(document)
    return values


def to_json(document: Mapping[str, Any]) -> str:
    """JSON text, indented but with each list of numbers on one line."""
    text = dump_json(document, indent=1, ensure_ascii=False)
    # json indents each number of a list on a line of its own: ten thousand samples would be ten thousand lines
    return re.sub(r"\[\n[-\d.,e\s]+\]", lambda found: re.sub(r"\s", "", found[0]), text) + "\n"


def json_values(value: Any) -> Any:
    """Recursively: mappings to dicts, tuples to lists, floats to four decimals, NaN and infinity to None (JSON has neither)."""
    if isinstance(value, Mapping):
        return {str(key): json_values(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [json_values(entry) for entry in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def _file(record: Record, own: FileRecord) -> dict[str, Any]:
    return {
        "name": own.name,
        "format": own.format,
        "precision": own.precision,
        "model": own.card.name,
        "task": own.card.task,
        "input_size": list(own.card.preprocess.size),
        "sha256": own.sha256,
        "graph_sha256": own.card.graph_sha256 or None,
        "size_bytes": own.size_bytes,
        "peak_memory_mib": own.memory_mib,
        "cold_start": {**dataclasses.asdict(own.cold_start), "total_ms": own.cold_start.total_ms},
        "cold_start_totals_ms": [start.total_ms for start in own.cold_starts],
        "throughput_fps": None if own.throughput is None else own.throughput.fps,
        "throughput_concurrency": None if own.throughput is None else own.throughput.concurrency,
        "accuracy": None
        if own.score is None
        else {**own.score.to_dict(), "metric": own.score.metric, "primary": own.score.primary},
        "no_accuracy_because": own.no_score_because or None,
        "verdict": str(own.verdict),
        "reasons": own.verdict.reasons,
        "clocks": {clock: _clock(record, own, clock) for clock in own.clocks},
        **scenario_fields(own),
        "profile": profile_field(own),
    }


def _clock(record: Record, own: FileRecord, clock: Clock) -> dict[str, Any]:
    measured = own.clocks[clock]
    ratio, low, high = record.speedup(own, clock)
    return {
        **summary(measured),
        "speedup": {"ratio": ratio, "p10_of_rounds": low, "p90_of_rounds": high},
        "verdict": str(measured.verdict),
        "reasons": measured.verdict.reasons,
        "warm_up": dataclasses.asdict(measured.warm_up),
        "stages_ms": {name: {f"p{p}": nearest_rank(values, p) for p in PERCENTILES} for name, values in measured.stages.items()},
        "ledger": measured.ledger,
        "round_sizes": [len(samples) for samples in measured.rounds],
        "samples_ms": measured.latency.samples_ms,
    }


def summary(measured: ClockRecord) -> dict[str, Any]:
    """Statistics of one clock: count, mean, percentiles, their upper bounds with 99 % confidence, spread and drift."""
    samples = measured.latency.samples_ms
    return {
        "count": len(samples),
        "mean_ms": measured.latency.mean,
        **{f"p{percent}_ms": measured.latency.percentile(percent) for percent in PERCENTILES},
        "max_ms": measured.latency.max,
        "p90_bound_ms": early_stopping_bound(samples, 90),
        "p99_bound_ms": early_stopping_bound(samples, 99),
        "coefficient_of_variation": coefficient_of_variation(samples),
        "drift": drift(samples),
        "round_spread": round_spread(measured.rounds),
    }
