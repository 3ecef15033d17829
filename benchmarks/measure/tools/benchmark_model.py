"""TFLite's `benchmark_model`: tensorflow/lite/tools/benchmark/benchmark_model.cc and its README."""

from __future__ import annotations

import statistics

from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport, Values
from edgecnn.runtime.backends.inference_only import Inference, inference_only

RUNS, MIN_S, MAX_S = 50, 1.0, 150.0
WARM_UP_RUNS, WARM_UP_S = 1, 0.5
DEFINITION = ToolDefinition(
    timed="Invoke alone; inputs are set before the clock starts",
    warm_up="at least 1 run and 0.5 s (--warmup_runs, --warmup_min_secs)",
    duration="at least 50 runs and 1 s, at most 150 s (--num_runs, --min_secs, --max_secs)",
    statistic="average, with minimum, maximum, standard deviation; initialization and first inference apart",
    source="benchmark_model --graph=FILE, with the threads of this measurement",
)


def measure(file: LoadedFile) -> ToolReport:
    """The file is loaded once more, as the tool does, so that initialization and the first inference are its own."""
    backend, initialization = file.open_again()
    try:
        invoke = inference_only(backend, file.random_feed())
        warm = _loop(file, invoke, WARM_UP_RUNS, WARM_UP_S)
        started = file.now()
        samples = _loop(file, invoke, RUNS, MIN_S)
        seconds = file.now() - started
    finally:
        backend.close()
    values: Values = {
        "Init (us)": initialization * 1e3,
        "First inference (us)": warm[0] * 1e3,
        "Warmup (avg) (us)": statistics.fmean(warm) * 1e3,
        "Inference (avg) (us)": statistics.fmean(samples) * 1e3,
        "count": len(samples),
        "min (us)": min(samples) * 1e3,
        "max (us)": max(samples) * 1e3,
        "std (us)": statistics.pstdev(samples) * 1e3,
    }
    return ToolReport(values, tuple(samples), seconds)


def _loop(file: LoadedFile, invoke: Inference, runs: int, seconds: float) -> list[float]:
    """``BenchmarkModel::Run``: until both the number and the time are reached, but not longer than the longest time."""
    samples: list[float] = []
    started = file.now()
    while (len(samples) < runs or file.now() - started < seconds) and file.now() - started <= MAX_S * file.scale:
        samples.append(file.time(invoke))
    return samples
