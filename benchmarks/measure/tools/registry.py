"""The tools by name, with their variants; the first variant is what the tool does by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgecnn.benchmarks.measure.tools import benchmark_app, benchmark_model, mlperf, trtexec, ultralytics
from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport
from edgecnn.errors import InputError


@dataclass(frozen=True, slots=True)
class Tool:
    """One definition and its measurement; ``parallel``: the file is loaded for as many requests as there are threads."""

    definition: ToolDefinition
    measure: Callable[[LoadedFile], ToolReport]
    parallel: bool = False


TOOLS: Mapping[str, Mapping[str, Tool]] = {
    "benchmark_app": {
        "throughput": Tool(benchmark_app.THROUGHPUT, benchmark_app.measure_throughput, parallel=True),
        "latency": Tool(benchmark_app.LATENCY, benchmark_app.measure_latency),
    },
    "trtexec": {"": Tool(trtexec.DEFINITION, trtexec.measure)},
    "tflite": {"": Tool(benchmark_model.DEFINITION, benchmark_model.measure)},
    "mlperf": {
        "singlestream": Tool(mlperf.SINGLE, mlperf.single_stream),
        "multistream": Tool(mlperf.MULTI, mlperf.streams_of_eight, parallel=True),
        "offline": Tool(mlperf.OFFLINE, mlperf.all_at_once, parallel=True),
        "tiny": Tool(mlperf.TINY, mlperf.tiny),
    },
    "ultralytics": {
        "benchmark": Tool(ultralytics.BENCHMARK, ultralytics.measure),
        "profile": Tool(ultralytics.PROFILE, ultralytics.profile),
    },
}


def parse_tool(text: str) -> tuple[str, str]:
    """Tool and variant of ``benchmark_app`` or ``benchmark_app:latency``. Raises ``InputError`` for one that does not exist."""
    name, colon, variant = text.strip().lower().partition(":")
    if name not in TOOLS:
        raise InputError(f"there is no definition of {text!r}", f"use one of {', '.join(names())}")
    variants = TOOLS[name]
    if not colon:
        return name, next(iter(variants))
    if variant not in variants:
        known = [f"{name}:{each}" if each else name for each in variants]
        raise InputError(f"{name} has no variant {variant!r} here", f"use {' or '.join(known)}")
    return name, variant


def names() -> list[str]:
    """All tools, with the variants that are not their default."""
    return [f"{tool}:{variant}" if index else tool for tool, variants in TOOLS.items() for index, variant in enumerate(variants)]
