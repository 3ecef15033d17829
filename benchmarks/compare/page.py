"""Comparisons, runs side by side and trends as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from edgecnn.benchmarks.compare.comparison import Comparison
from edgecnn.benchmarks.compare.finding import Finding
from edgecnn.benchmarks.compare.history import Series
from edgecnn.benchmarks.compare.interval import CONFIDENCE
from edgecnn.benchmarks.compare.ratio_plot import ratio_plot
from edgecnn.benchmarks.compare.record_file import MeasuredFile, MeasuredRun
from edgecnn.benchmarks.compare.rows import HEAD, cells, note_lines
from edgecnn.benchmarks.compare.trend_plot import change_text, trend_plot
from edgecnn.benchmarks.report.table import format_ms
from edgecnn.benchmarks.report.template import render, responsive

FACTS: Mapping[str, tuple[str, ...]] = {
    "Device": ("device", "name"),
    "Processor": ("device", "cpu"),
    "Usable processors": ("device", "usable_cpus"),
    "Memory, MiB": ("device", "memory_mib"),
    "Engine device": ("engine_device",),
    "Threads": ("threads",),
    "Protocol": ("protocol", "name"),
    "Inputs": ("inputs",),
    "Governor": ("environment", "cpu_governor"),
    "Temperature, °C": ("environment", "temperature_c"),
    "Load before": ("environment", "load_average"),
    "System": ("environment", "os"),
    "Kernel": ("environment", "kernel"),
    "edgecnn": ("environment", "commit"),
    "Revision": ("revision",),
    "Started": ("started",),
}


def comparison_page(
    comparisons: Sequence[Comparison], runs: Sequence[MeasuredRun] = (), series: Sequence[Series] = (), notes: Sequence[str] = ()
) -> str:
    """The page as text; each part may be empty. Raises ``MissingExtraError`` without jinja2."""
    return render(
        "edgecnn.benchmarks.compare",
        "compare.html",
        title=", ".join(f"{one.before} → {one.after}" for one in comparisons) or "history",
        confidence=f"{CONFIDENCE:.0%}",
        head=HEAD[1:],
        comparisons=[_comparison(one) for one in comparisons],
        runs=[run.name for run in runs] if len(runs) > 1 else [],
        files=_side_by_side(runs),
        facts=_facts(runs),
        trends=[_trend(own) for own in series],
        notes=notes,
    )


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        "before": one.before,
        "after": one.after,
        "method": one.method,
        "plot": responsive(partial(ratio_plot, one.findings)),
        "files": [
            (file, [(_css(own), cells(own)) for own in one.findings if own.file == file])
            for file in dict.fromkeys(own.file for own in one.findings)
        ],
        "notes": note_lines(one),
    }


def _css(finding: Finding) -> tuple[str, str]:
    return "regression" if finding.regression else "", f"{finding.direction}-word"


def _side_by_side(runs: Sequence[MeasuredRun]) -> list[tuple[str, str, list[str]]]:
    """File, quantity and its value in each run, "" where a run does not have it."""
    names = dict.fromkeys(own.name for run in runs for own in run.files)
    found = []
    for name in names:
        files = [next((own for own in run.files if own.name == name), None) for run in runs]
        clocks = dict.fromkeys(clock for own in files if own is not None for clock in own.clocks)
        found += [(name, f"{clock}: p50 · p99, ms", [_latency(own, clock) for own in files]) for clock in clocks]
        found.append(
            (
                name,
                "cold start, ms",
                [_of(own, lambda own: f"{sorted(own.cold_starts_ms)[len(own.cold_starts_ms) // 2]:.0f}") for own in files],
            )
        )
        found.append((name, "peak memory, MiB", [_of(own, lambda own: f"{own.memory_mib:.0f}") for own in files]))
        if any(own is not None and own.accuracy is not None for own in files):
            found.append((name, "accuracy", [_of(own, _accuracy) for own in files]))
    return found


def _of(own: MeasuredFile | None, text: Any) -> str:
    return "" if own is None else str(text(own))


def _accuracy(own: MeasuredFile) -> str:
    return "" if own.accuracy is None else f"{own.accuracy['primary']:.4f}"


def _latency(own: MeasuredFile | None, clock: Any) -> str:
    measured = None if own is None else own.clocks.get(clock)
    if measured is None:
        return ""
    noisy = " NOISY" if measured.reasons else ""
    return f"{format_ms(measured.percentile(50))} · {format_ms(measured.percentile(99))}{noisy}"


def _facts(runs: Sequence[MeasuredRun]) -> list[tuple[str, list[str]]]:
    """Device and conditions of each run, without rows that are empty everywhere."""
    rows = [(title, [_at(run.document, keys) for run in runs]) for title, keys in FACTS.items()]
    packages = sorted({name for run in runs for name in run.document["environment"]["packages"]})
    rows += [(name, [_at(run.document, ("environment", "packages", name)) for run in runs]) for name in packages]
    return [row for row in rows if any(row[1])]


def _at(document: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    found: Any = document
    for key in keys:
        found = found.get(key)
    return "" if found is None else str(found)


def _trend(own: Series) -> dict[str, Any]:
    return {
        "device": own.device,
        "file": own.file,
        "clock": own.clock,
        "definition": own.definition,
        "runs": len(own.points),
        "plot": responsive(partial(trend_plot, own)),
        "changes": [change_text(own.points[change.index], change) for change in own.changes],
    }
