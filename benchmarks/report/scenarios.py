"""The scenarios of a Record: fields of its JSON document and tables for a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from edgecnn.benchmarks.measure.record import FileRecord, Record
from edgecnn.benchmarks.measure.scenario import (
    PERCENTILE,
    SCENARIO_MEANING,
    EnergyUse,
    ScenarioRecord,
    SustainedRecord,
    start_and_end,
)
from edgecnn.benchmarks.report.names import ellipsize, format_ms
from edgecnn.columns import align_columns


def scenario_fields(own: FileRecord) -> dict[str, Any]:
    """The fields ``scenarios`` and ``sustained`` of a file; null where they were not measured."""
    found = {name.replace("-", "_"): _scenario(record) for name, record in own.scenarios.items()}
    return {"scenarios": found or None, "sustained": None if own.sustained is None else _sustained(own.sustained)}


def _scenario(record: ScenarioRecord) -> dict[str, Any]:
    latency = record.latency
    has_samples = bool(latency.samples_ms)
    percentiles = {f"p{percent}_ms": latency.percentile(percent) if has_samples else None for percent in (50, 90, 95, 99)}
    return {
        "clock": record.clock,
        "streams": record.streams,
        "concurrency": record.concurrency,
        "inferences": record.inferences,
        "duration_s": record.seconds,
        "throughput_fps": record.throughput_fps,
        "rate_fps": record.rate_fps,
        "keeps_up": record.keeps_up,
        "deadline_ms": record.deadline_ms,
        "missed_deadlines": record.missed,
        "queries": len(latency.samples_ms) or None,
        "mean_ms": latency.mean if has_samples else None,
        **percentiles,
        "max_ms": latency.max if has_samples else None,
        "bound_percent": PERCENTILE.get(record.scenario),
        "bound_ms": record.bound_ms,
        "energy": _energy(record.energy),
        "reasons": record.reasons,
        "samples_ms": latency.samples_ms,
    }


def _energy(energy: EnergyUse) -> dict[str, Any] | None:
    """The energy, null where nothing is readable."""
    if energy.joules is None:
        return None
    return {
        "source": energy.source,
        "joules": energy.joules,
        "idle_w": energy.idle_watts,
        "above_idle_mj_per_inference": energy.per_inference_mj,
    }


def _sustained(record: SustainedRecord) -> dict[str, Any]:
    return {
        "clock": record.clock,
        "rate_fps": record.rate_fps,
        "duration_s": record.seconds,
        "inferences": record.inferences,
        "missed_deadlines": record.missed,
        **dataclasses.asdict(record.curve),
        "throttled": record.throttled,
        "findings": record.findings,
        "energy": _energy(record.energy),
    }


def scenario_tables(record: Record) -> list[str]:
    """A table of the scenarios and one of the sustained runs; none where they were not measured."""
    return [text for text in (_table(record), _sustained_table(record), _legend(record)) if text]


def _table(record: Record) -> str:
    rows = [_scenario_row(own, one) for own in record.files for one in own.scenarios.values()]
    head = ["scenario, ms", "file", "streams", "p50", "p90", "p99", "p99 bound", "frames/s", "late", "mJ/frame"]
    return align_columns([head, *rows], left=2) if rows else ""


def _scenario_row(own: FileRecord, one: ScenarioRecord) -> list[str]:
    latency = one.latency
    values = [format_ms(value) for value in (latency.p50, latency.p90, latency.p99)] if latency.samples_ms else ["", "", ""]
    bound = "" if one.bound_ms is None else format_ms(one.bound_ms)
    late = "" if one.missed is None else f"{one.missed} of {len(latency.samples_ms)}"
    return [
        one.scenario,
        ellipsize(own.name),
        str(one.streams),
        *values,
        bound,
        f"{one.throughput_fps:.1f}",
        late,
        _millijoules(one.energy),
    ]


def _sustained_table(record: Record) -> str:
    rows = [_sustained_row(own, own.sustained) for own in record.files if own.sustained is not None]
    head = ["sustained, ms", "minutes", "p50 start", "p50 end", "frames/s", "°C start-end", "MHz start-end", "mJ/frame"]
    findings = [f"{own.name}: {line}" for own in record.files if own.sustained is not None for line in own.sustained.findings]
    return "\n".join([align_columns([head, *rows], left=1), *findings]) if rows else ""


def _sustained_row(own: FileRecord, one: SustainedRecord) -> list[str]:
    curve = one.curve
    p50 = [format_ms(value) for value in start_and_end(curve.latency_ms_p50) or ()] or ["", ""]
    rate = f"{one.inferences / one.seconds:.1f}" if one.seconds else ""
    ends = [_ends(curve.temperature_c), _ends(curve.frequency_mhz)]
    return [ellipsize(own.name), f"{one.seconds / 60:.1f}", *p50, rate, *ends, _millijoules(one.energy)]


def _ends(values: Sequence[float | None]) -> str:
    ends = start_and_end([value for value in values if value is not None])
    return f"{ends[0]:.0f}-{ends[1]:.0f}" if ends is not None else "-"


def _millijoules(energy: EnergyUse) -> str:
    return "-" if energy.per_inference_mj is None else f"{energy.per_inference_mj:.3g}"


def _legend(record: Record) -> str:
    """What the scenarios mean, why there is no energy, and what disturbed them."""
    first = record.files[0]
    lines = [f"{name}: {SCENARIO_MEANING[name]}" for name in first.scenarios]
    lines += [f"sustained: {SCENARIO_MEANING['sustained']}"] if first.sustained is not None else []
    ones: list[ScenarioRecord | SustainedRecord] = [one for own in record.files for one in own.scenarios.values()]
    ones += [own.sustained for own in record.files if own.sustained is not None]
    lines += dict.fromkeys(f"no energy: {one.energy.problem}" for one in ones if one.energy.problem)
    lines += [_behind(own, one) for own in record.files for one in own.scenarios.values() if one.keeps_up is False]
    noisy = {name: one.reasons for own in record.files for name, one in own.scenarios.items() if one.reasons}
    return "\n".join([*lines, *(f"NOISY {name}: {'; '.join(reasons)}" for name, reasons in noisy.items())])


def _behind(own: FileRecord, one: ScenarioRecord) -> str:
    asked = f"{(one.rate_fps or 0) * one.streams:g} frames/s asked for, {one.throughput_fps:.1f} reached"
    return f"{own.name} does not keep up: {asked}; the queue grew"
