"""MLPerf's LoadGen and MLPerf Tiny: inference_rules.adoc and mlperf.conf of mlcommons/inference 2026-07, runner of mlcommons/tiny v1.3."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable

from edgecnn.benchmarks.measure.load import closed_loop, multi_stream, offline
from edgecnn.benchmarks.measure.statistics import early_stopping_bound
from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport, Values
from edgecnn.postprocess import decode
from edgecnn.types import nearest_rank

MIN_DURATION_S = 600.0
MIN_QUERIES = {90: 64, 99: 662}
OFFLINE_SAMPLES = 24_576
STREAMS = 8
TINY_LOOPS, TINY_RUNS, TINY_WARM_UPS, TINY_S = 5, 20, 5, 10.0
_TIMED = "from issuing a query to its result: inference and post-processing with NMS; resizing and normalizing are not timed"
SINGLE = ToolDefinition(
    _TIMED,
    "none",
    "at least 600 s and 64 queries, one after the other",
    "90th percentile, as an early-stopping estimate (99 % confidence)",
    "LoadGen SingleStream",
)
MULTI = ToolDefinition(
    _TIMED,
    "none",
    "at least 600 s and 662 queries of 8 samples, one after the other",
    "99th percentile of a query, as an early-stopping estimate",
    "LoadGen MultiStream",
)
OFFLINE = ToolDefinition(_TIMED, "none", "at least 600 s and 24576 samples, all at once", "samples per second", "LoadGen Offline")
TINY = ToolDefinition(
    "inference alone",
    "5 inferences before each loop",
    "5 loops on different inputs, each at least 20 inferences and 10 s",
    "median throughput of the loops",
    "MLPerf Tiny, performance mode",
)


def single_stream(file: LoadedFile) -> ToolReport:
    """SingleStream."""
    done = closed_loop(_query(file), MIN_DURATION_S * file.scale, file.now)
    values = _latencies(done.samples_ms, 90)
    return ToolReport(
        {"QPS w/ loadgen overhead": len(done.samples_ms) / done.seconds, **values}, tuple(done.samples_ms), done.seconds
    )


def streams_of_eight(file: LoadedFile) -> ToolReport:
    """MultiStream."""
    steps = [_query(file) for _ in range(file.backend.concurrency)]
    done = multi_stream(steps, STREAMS, MIN_QUERIES[99], MIN_DURATION_S * file.scale, file.now)
    values = _latencies(done.samples_ms, 99)
    return ToolReport({"Per-query samples": STREAMS, **values}, tuple(done.samples_ms), done.seconds)


def all_at_once(file: LoadedFile) -> ToolReport:
    """Offline."""
    done = offline([_query(file) for _ in range(file.backend.concurrency)], MIN_DURATION_S * file.scale, file.now)
    is_valid = done.inferences >= OFFLINE_SAMPLES
    values: Values = {
        "Samples per second": done.inferences / done.seconds,
        "Min queries satisfied": "Yes" if is_valid else "No",
        "samples": done.inferences,
    }
    return ToolReport(values, (), done.seconds)


def tiny(file: LoadedFile) -> ToolReport:
    """MLPerf Tiny."""
    rates: list[float] = []
    samples: list[float] = []
    started = file.now()
    for number in range(TINY_LOOPS):
        run = file.inference(file.feeds[number % len(file.feeds)])
        for _ in range(TINY_WARM_UPS):
            run()
        own: list[float] = []
        begun = file.now()
        while len(own) < TINY_RUNS or file.now() - begun < TINY_S * file.scale:
            own.append(file.time(run))
        rates.append(len(own) / (file.now() - begun))
        samples += own
    values: Values = {"Median throughput (inf./sec.)": statistics.median(rates)}
    values |= {f"throughput of loop {number + 1} (inf./sec.)": rate for number, rate in enumerate(rates)}
    return ToolReport(values, tuple(samples), file.now() - started)


def _query(file: LoadedFile) -> Callable[[], object]:
    """One sample after the other through the model and its decoder."""
    run, card, feeds = file.backend.run, file.predictor.card, itertools.cycle(file.feeds)
    return lambda: decode(run(next(feeds)), card)


def _latencies(samples_ms: list[float], judged: int) -> Values:
    """The summary of LoadGen."""
    bound = early_stopping_bound(samples_ms, judged)
    values: Values = {f"{judged}.00 percentile latency (ns)": nearest_rank(samples_ms, judged) * 1e6}
    values["Min queries satisfied"] = "Yes" if len(samples_ms) >= MIN_QUERIES[judged] else "No"
    values["Early stopping satisfied"] = "Yes" if bound is not None else "No"
    if bound is not None:
        values[f"Early stopping {judged}th percentile estimate (ns)"] = bound * 1e6
    values |= {"Min latency (ns)": min(samples_ms) * 1e6, "Max latency (ns)": max(samples_ms) * 1e6}
    values["Mean latency (ns)"] = statistics.fmean(samples_ms) * 1e6
    values |= {f"{percent:.2f} percentile latency (ns)": nearest_rank(samples_ms, percent) * 1e6 for percent in (50, 97, 99.9)}
    return {**values, "query_count": len(samples_ms)}
