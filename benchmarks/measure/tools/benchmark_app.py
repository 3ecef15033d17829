"""OpenVINO's `benchmark_app`: openvino/tools/benchmark of the package openvino 2026.4 (main.py, benchmark.py)."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport, Values
from edgecnn.runtime.backends.inference_only import Inference, inference_only

DURATION_S = 60.0
_TIMED = "each infer request from start to completion, as the engine counts it; inputs are set once, before"
THROUGHPUT = ToolDefinition(
    timed=_TIMED,
    warm_up="one inference",
    duration="60 s (-t), all requests kept busy, a multiple of the number of requests",
    statistic="median, average, minimum, maximum; throughput = inferences / wall time",
    source="benchmark_app -hint throughput (its default: async)",
)
LATENCY = ToolDefinition(
    timed=_TIMED,
    warm_up="one inference",
    duration="60 s (-t), one request after the other",
    statistic="median, average, minimum, maximum; throughput = inferences / wall time",
    source="benchmark_app -hint latency (sync)",
)


def measure_throughput(file: LoadedFile) -> ToolReport:
    """All requests busy; each thread starts its request again when it is complete."""
    return _measure(file, file.backend.concurrency)


def measure_latency(file: LoadedFile) -> ToolReport:
    """One request after the other."""
    return _measure(file, 1)


def _measure(file: LoadedFile, count: int) -> ToolReport:
    backend, compiled_ms = file.open_again(count)
    try:
        feed = file.random_feed()
        requests = [inference_only(backend, feed) for _ in range(count)]
        first = _once(file, requests[0])
        samples, seconds = _main_loop(file, requests)
    finally:
        backend.close()
    return _report(file, {"Compile model took (ms)": compiled_ms, "First inference took (ms)": first}, samples, seconds, requests)


def _main_loop(file: LoadedFile, requests: Sequence[Inference]) -> tuple[list[list[float]], float]:
    """The latencies of each request, and the wall time of all."""
    samples: list[list[float]] = [[] for _ in requests]
    failures: list[BaseException] = []
    started = file.now()

    def work(index: int) -> None:
        try:
            while not failures and (not samples[index] or file.now() - started < DURATION_S * file.scale):
                samples[index].append(_once(file, requests[index]))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,), name=f"request-{index}") for index in range(1, len(requests))]
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    seconds = file.now() - started
    if failures:
        raise failures[0]
    return samples, seconds


def _once(file: LoadedFile, request: Inference) -> float:
    wall = file.time(request)
    own = request.latency_ms
    return wall if own is None else own


def _report(
    file: LoadedFile, head: Values, samples: Sequence[Sequence[float]], seconds: float, requests: Sequence[Inference]
) -> ToolReport:
    times = [value for own in samples for value in own]
    ordered = sorted(times)
    values: Values = {
        **head,
        "Number of infer requests": len(requests),
        "Count (iterations)": len(times),
        "Duration (ms)": seconds * 1e3,
        "Median (ms)": percentile(ordered, 50),
        "Average (ms)": sum(times) / len(times),
        "Min (ms)": ordered[0],
        "Max (ms)": ordered[-1],
        "Throughput (FPS)": file.batch * len(times) / seconds,
    }
    own = requests[0].latency_ms is not None
    notes = () if own else ("the engine does not count its own latency: calls were timed from outside",)
    return ToolReport(values, tuple(times), seconds, notes)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """``percentile`` of benchmark.py."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]
