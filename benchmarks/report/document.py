"""A Record as JSON: versioned, raw samples kept, documented field by field in benchmarks/README.md."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from edgecnn.benchmarks.measure.protocol import CLOCK_MEANING, Clock
from edgecnn.benchmarks.measure.record import ClockRecord, FileRecord, Record
from edgecnn.benchmarks.measure.statistics import drift, early_stopping_bound, round_spread, variation
from edgecnn.types import nearest_rank

SCHEMA = "edgecnn.benchmark"
VERSION = 1
PERCENTILES = (50, 90, 95, 99)


def to_document(record: Record) -> dict[str, Any]:
    """The whole record as plain JSON values; milliseconds carry four digits, what could not be measured is null."""
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "started": record.started,
        "protocol": dataclasses.asdict(record.protocol),
        "clocks": {clock: CLOCK_MEANING[clock] for clock in record.clocks},
        "device": {**dataclasses.asdict(record.device), "slug": record.device.slug, "int8_path": record.device.int8_path},
        "environment": dataclasses.asdict(record.environment),
        "disturbance": {clock: dataclasses.asdict(found) for clock, found in record.disturbance.items()},
        "where": record.where,
        "threads": record.threads,
        "inputs": record.inputs,
        "data": record.data,
        "reference": record.reference.name,
        "notes": record.notes(),
        "files": [_file(record, own) for own in record.files],
    }
    cleaned: dict[str, Any] = plain(document)
    return cleaned


def to_text(document: Mapping[str, Any]) -> str:
    """JSON text, indented but with each list of numbers on one line."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return re.sub(r"\[\n[-\d.,e\s]+\]", lambda found: re.sub(r"\s", "", found[0]), text) + "\n"


def plain(value: Any) -> Any:
    """Tuples to lists, floats to four digits, NaN to None, mappings to dicts, whatever their depth."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
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
        "input": list(own.card.preprocess.size),
        "sha256": own.sha256,
        "bytes": own.bytes,
        "memory_mib": own.memory_mib,
        "cold_ms": {**dataclasses.asdict(own.cold_start), "total_ms": own.cold_start.total_ms},
        "cold_totals_ms": [cold.total_ms for cold in own.cold],
        "throughput": None if own.throughput is None else dataclasses.asdict(own.throughput),
        "accuracy": None if own.score is None else {**own.score.to_dict(), "primary": own.score.primary},
        "verdict": str(own.verdict),
        "reasons": own.verdict.reasons,
        "clocks": {clock: _clock(record, own, clock) for clock in own.clocks},
    }


def _clock(record: Record, own: FileRecord, clock: Clock) -> dict[str, Any]:
    measured = own.clocks[clock]
    ratio, low, high = record.ratio(own, clock)
    return {
        **summary(measured),
        "faster_than_reference": {"ratio": ratio, "p10_of_rounds": low, "p90_of_rounds": high},
        "verdict": str(measured.verdict),
        "reasons": measured.verdict.reasons,
        "warm_up": dataclasses.asdict(measured.warm_up),
        "stages_ms": {name: {f"p{p}": nearest_rank(values, p) for p in PERCENTILES} for name, values in measured.stages.items()},
        "ledger": measured.ledger,
        "round_sizes": [len(samples) for samples in measured.rounds],
        "samples_ms": measured.latency.samples_ms,
    }


def summary(measured: ClockRecord) -> dict[str, Any]:
    """What a table says of one clock: count, mean, percentiles, bounds with 99 % confidence, spread and drift."""
    samples = measured.latency.samples_ms
    return {
        "count": len(samples),
        "mean_ms": measured.latency.mean,
        **{f"p{percent}_ms": measured.latency.percentile(percent) for percent in PERCENTILES},
        "max_ms": measured.latency.max,
        "p90_bound_ms": early_stopping_bound(samples, 90),
        "p99_bound_ms": early_stopping_bound(samples, 99),
        "variation": variation(samples),
        "drift": drift(samples),
        "round_spread": round_spread(measured.rounds),
    }
