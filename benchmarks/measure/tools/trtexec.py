"""NVIDIA's `trtexec`: samples/common/sampleReporting.cpp and sampleInference.cpp of TensorRT, 2026-07."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport, Values
from edgecnn.runtime.backends.io_binding import bind_device

WARM_UP_MS, DURATION_S, ITERATIONS = 200.0, 3.0, 10
DEFINITION = ToolDefinition(
    timed="one query: upload, computation and download on a GPU; on a processor the call from outside",
    warm_up="200 ms (--warmUp), discarded",
    duration="at least 3 s (--duration) and 10 iterations (--iterations)",
    statistic="min, max, mean, median, percentiles 90, 95 and 99; throughput = queries / host wall time",
    source="trtexec --includeDataTransfers with random inputs",
)


def measure(file: LoadedFile) -> ToolReport:
    """Queries one after the other."""
    feed = file.random_feed()
    on_device = bind_device(file.backend, {name: array.shape for name, array in feed.items()})
    run = file.inference(feed) if on_device is None else lambda: on_device.run(feed)
    spent: list[float] = []
    compute: list[float] = []
    warm_until = file.now() + WARM_UP_MS * 1e-3
    while file.now() < warm_until:
        run()
    started = file.now()
    while len(spent) < ITERATIONS or file.now() - started < DURATION_S * file.scale:
        wall = file.time(run)
        stages = {} if on_device is None else on_device.spent_ms
        spent.append(sum(stages.values()) if stages else wall)
        compute += [stages["compute"]] if "compute" in stages else []
    seconds = file.now() - started
    values: Values = {"Throughput (qps)": file.batch * len(spent) / seconds}
    values |= statistics("Latency", spent)
    values |= statistics("GPU Compute Time", compute) if compute else {}
    values |= {"Total Host Walltime (s)": seconds}
    notes = () if compute else ("no GPU: Latency is the whole call, there is no GPU Compute Time",)
    return ToolReport(values, tuple(spent), seconds, notes)


def statistics(title: str, samples: Sequence[float]) -> Values:
    """The line of one quantity."""
    ordered = sorted(samples)
    found: Values = {
        f"{title}: min (ms)": ordered[0],
        f"{title}: max (ms)": ordered[-1],
        f"{title}: mean (ms)": sum(ordered) / len(ordered),
        f"{title}: median (ms)": median(ordered),
    }
    return found | {f"{title}: percentile({percent}%) (ms)": percentile(ordered, percent) for percent in (90, 95, 99)}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """``findPercentile`` of sampleReporting.cpp, which computes in float32: (1 - 90 / 100) * 100 is 9 in float64."""
    excluded = int((np.float32(1) - np.float32(percent) / np.float32(100)) * np.float32(len(ordered)))
    return ordered[max(len(ordered) - 1 - excluded, 0)]


def median(ordered: Sequence[float]) -> float:
    """``findMedian`` of sampleReporting.cpp: of an even number, the mean of the two in the middle."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
