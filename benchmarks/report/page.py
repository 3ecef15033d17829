"""A Record as one self-contained HTML page with tables, plots and the environment."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.measure.protocol import CLOCK_MEANING, Clock
from edgecnn.benchmarks.measure.record import ClockRecord, FileRecord, Record
from edgecnn.benchmarks.measure.scenario import SustainedRecord
from edgecnn.benchmarks.measure.statistics import early_stopping_bound
from edgecnn.benchmarks.report.class_table import class_table
from edgecnn.benchmarks.report.plot_bars import BarStack, sparkline, stacked_bars
from edgecnn.benchmarks.report.plot_distribution import SampleSeries, distribution_plot
from edgecnn.benchmarks.report.plot_scatter import ScatterPoint, scatter_plot
from edgecnn.benchmarks.report.plot_sustained import sustained_plot
from edgecnn.benchmarks.report.plot_waterfall import WAITING, Waterfall, WaterfallStage, waterfall_plot
from edgecnn.benchmarks.report.table import format_ms
from edgecnn.benchmarks.report.template import WIDE, render, responsive
from edgecnn.cpus import threads_text
from edgecnn.errors import InputError
from edgecnn.types import nearest_rank

KINDS = {  # first bytes of a file
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
}
CLOCK_TITLE = {"model": "Model", "task": "Task", "age": "Frame age"}
COLD_PARTS = {
    "python_ms": "Python",
    "import_ms": "import",
    "load_ms": "load and compile",
    "first_prediction_ms": "first prediction",
}


def data_uri(path: Path) -> str:
    """A PNG or JPEG file as a data: URI; raises ``InputError`` for anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"--picture: {path} can't be read: {error.strerror or error}", "check the path") from error
    kind = next((kind for magic, kind in KINDS.items() if data.startswith(magic)), None)
    if kind is None:
        raise InputError(f"--picture: {path} is not a PNG or JPEG", "give an image that `edgecnn run --snapshot` wrote")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def to_html(record: Record, image: Path | None = None) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2, ``InputError`` where ``image`` is not a PNG or JPEG."""
    return render(
        "edgecnn.benchmarks.report",
        "report.html",
        record=record,
        started=record.started[:16].replace("T", " ") + " UTC",
        threads=threads_text(record.threads),
        noise_reasons=record.noise_reasons(),
        image=data_uri(image) if image else "",
        rows=[_row(record, own) for own in record.files],
        clocks=[_clock(record, clock) for clock in record.clocks],
        scatter=responsive(_scatter(record)),
        waterfall=responsive(_waterfall(record)),
        cold=responsive(_cold(record)),
        per_class=class_table(record),
        sustained=[_sustained(own.name, own.sustained) for own in record.files if own.sustained is not None],
        facts=_facts(record),
        meaning=CLOCK_MEANING,
        notes=record.notes(),
    )


def _css_classes(own: FileRecord) -> str:
    """The CSS classes of a file: hue by format, shade by precision."""
    return f"format-{own.format} precision-{own.precision}"


def _row(record: Record, own: FileRecord) -> dict[str, Any]:
    """A row of the first table, as text."""
    base = record.reference
    return {
        "name": own.name,
        "css_classes": _css_classes(own),
        "format": own.format,
        "precision": own.precision,
        "reference": own is base and len(record.files) > 1,
        "p50": {clock: format_ms(measured.latency.p50) for clock, measured in own.clocks.items()},
        "speedup": _speedup(record, own),
        "accuracy": "" if own.score is None else f"{own.score.primary * 100:.2f}",
        "drop": _accuracy_difference(own, base),
        "size": f"{own.size_bytes / 1e6:.2f}",
        "memory": f"{own.memory_mib:.0f}",
        "cold": f"{own.cold_start.total_ms:.0f}",
        "rate": "" if own.throughput is None else f"{own.throughput.fps.get('task', own.throughput.fps.get('model', 0.0)):.0f}",
        "concurrency": "" if own.throughput is None else own.throughput.concurrency,
        "verdict": str(own.verdict),
    }


def _speedup(record: Record, own: FileRecord) -> str:
    """Speedup over the reference by the first clock other than age; "" for the reference and for the age clock alone."""
    clock = next((clock for clock in record.clocks if clock != "age"), None)
    return "" if own is record.reference or clock is None else f"{record.speedup(own, clock)[0]:.2f}×"


def _accuracy_difference(own: FileRecord, base: FileRecord) -> str:
    """Accuracy difference to the reference in percentage points."""
    if own is base or own.score is None or base.score is None:
        return ""
    return f"{(own.score.primary - base.score.primary) * 100:+.2f}"


def _clock(record: Record, clock: Clock) -> dict[str, Any]:
    """Plot and rows of one clock."""
    title = CLOCK_TITLE[clock]
    series = [SampleSeries(own.name, own.clocks[clock].latency.samples_ms, _css_classes(own)) for own in record.files]
    return {
        "name": clock,
        "title": title,
        "meaning": CLOCK_MEANING[clock],
        "plot": responsive(lambda width: distribution_plot(series, width, f"{title} latency by file")),
        "rows": [_latency_row(record, own, own.clocks[clock]) for own in record.files],
    }


def _latency_row(record: Record, own: FileRecord, measured: ClockRecord) -> dict[str, Any]:
    found = measured.latency
    bound = early_stopping_bound(found.samples_ms, 99)
    ledger = measured.ledger
    return {
        "name": own.name,
        "values": [format_ms(value) for value in (found.p50, found.p90, found.p95, found.p99)],
        "bound": "" if bound is None else format_ms(bound),
        "max": format_ms(found.max),
        "mean": format_ms(found.mean),
        "count": len(found.samples_ms),
        "spark": sparkline(measured.rounds),
        "verdict": str(measured.verdict),
        "ledger": f"{ledger['dropped']} of {ledger['captured']} frames dropped" if ledger else "",
    }


def _scatter(record: Record) -> Callable[[float], str] | None:
    """Accuracy against the task clock, else the model clock; None without accuracy."""
    clock = next((clock for clock in ("task", "model", "age") if clock in record.clocks), None)
    scored = [(own, own.score) for own in record.files if own.score is not None]
    if clock is None or not scored:
        return None
    points = [
        ScatterPoint(
            own.name, own.clocks[clock].latency.p50, own.clocks[clock].latency.p99, score.primary * 100, _css_classes(own)
        )
        for own, score in scored
    ]
    x_title, y_title = f"{CLOCK_TITLE[clock]} latency in ms: dot p50, line to p99", f"{scored[0][1].primary_title} in %"
    return lambda width: scatter_plot(points, width, 400.0 if width == WIDE else 340.0, x_title, y_title)


def _waterfall(record: Record) -> Callable[[float], str] | None:
    """The stages of a frame: of the age clock with the time that a frame waits, else of the task clock."""
    clock = next((clock for clock in ("age", "task") if clock in record.clocks), None)
    if clock is None or not all(own.clocks[clock].stages for own in record.files):
        return None
    files = [Waterfall(own.name, tuple(_stages(own.clocks[clock]))) for own in record.files]
    return lambda width: waterfall_plot(files, width, f"Stages of a frame, {CLOCK_TITLE[clock].lower()} clock")


def _stages(measured: ClockRecord) -> list[WaterfallStage]:
    found = [WaterfallStage(name, nearest_rank(values, 50), nearest_rank(values, 99)) for name, values in measured.stages.items()]
    rest = [
        max(age - sum(spent), 0.0) for age, *spent in zip(measured.latency.samples_ms, *measured.stages.values(), strict=False)
    ]
    if measured.clock == "age":
        place = 1 if "capture" in measured.stages else 0
        found.insert(place, WaterfallStage(WAITING, nearest_rank(rest, 50), nearest_rank(rest, 99)))
    return found


def _sustained(name: str, own: SustainedRecord) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Name, findings and curve of a sustained run."""
    return name, own.findings, responsive(lambda width: sustained_plot(own.curve, width, f"Sustained run of {name}"))


def _cold(record: Record) -> Callable[[float], str]:
    stacks = [
        BarStack(own.name, {title: getattr(own.cold_start, name) for name, title in COLD_PARTS.items()}) for own in record.files
    ]
    return lambda width: stacked_bars(stacks, width, "Cold start by stage")


def _facts(record: Record) -> list[tuple[str, str]]:
    """The environment as pairs of title and text; unknown values are left out."""
    device, now = record.device, record.environment
    limits = [
        f"{now.cpu_quota_cpus:g} processors" if now.cpu_quota_cpus else "",
        f"{now.memory_limit_mib} MiB" if now.memory_limit_mib else "",
    ]
    disturbance = [
        f"{clock}: other programs {found.other_load_share:.1%}, host {found.steal_share:.1%}"
        for clock, found in record.disturbance.items()
    ]
    pairs = {
        "Device": device.name,
        "Processor": f"{device.cpu}, {device.arch}, {device.cores} cores{', virtual machine' if device.virtual else ''}",
        "Instruction sets": ", ".join(device.features),
        "Int8 runs on": device.int8_path,
        "Memory": f"{device.memory_mib} MiB",
        "Used": f"{record.engine_device}, {threads_text(record.threads)} for every engine",
        "Frequency": ""
        if now.cpu_mhz is None
        else f"{now.cpu_mhz[0]}-{now.cpu_mhz[1]} MHz, governor {now.cpu_governor or 'unknown'}",
        "Temperature": "" if now.temperature_c is None else f"{now.temperature_c:.0f} °C",
        "Container limits": ", ".join(filter(None, limits)),
        "Load before": f"{now.load_average:.2f}",
        "Disturbance": "; ".join(disturbance),
        "System": f"{now.os}, {now.kernel}, {now.python}",
        "Engines": ", ".join(f"{name} {version}" for name, version in now.packages.items()),
        "edgecnn": " ".join(filter(None, [now.edgecnn, now.commit])),
        "Inputs": record.inputs,
        "Protocol": _protocol(record),
        "Started": record.started,
    }
    return [(title, text) for title, text in pairs.items() if text]


def _protocol(record: Record) -> str:
    own = record.protocol
    seconds = f" and {own.duration_s:g} s" if own.duration_s else ""
    return (
        f"{own.name}: after warm-up at least {own.runs} runs{seconds} of each clock in {own.rounds} interleaved rounds, "
        f"{own.cold_starts} cold starts, frame age at {own.camera_fps:g} frames/s; no sample deleted"
    )
