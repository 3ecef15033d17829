"""OpenVINO's `benchmark_app`: openvino/tools/benchmark of the package openvino 2026.4 (main.py, benchmark.py)."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from edgecnn.benchmarks.measure.tools.engine import LoadedFile
from edgecnn.benchmarks.measure.tools.report import ToolDefinition, ToolReport, Values
from edgecnn.runtime.backends.inference_only import Inference, RequestQueue, inference_only, request_queue

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
    """All requests busy: by the engine's own queue, else by a thread for each."""
    count = file.backend.concurrency
    backend, compiled_ms = file.open_again(count)
    try:
        feed = file.random_feed()
        queue = request_queue(backend, feed, count)
        if queue is None:
            return _blocking(file, [inference_only(backend, feed) for _ in range(count)], compiled_ms)
        first, samples, seconds = _first_of(queue), *_queue_loop(file, queue, count)
    finally:
        backend.close()
    return _report(file, _head(compiled_ms, first), samples, seconds, count)


def measure_latency(file: LoadedFile) -> ToolReport:
    """One request after the other."""
    backend, compiled_ms = file.open_again(1)
    try:
        return _blocking(file, [inference_only(backend, file.random_feed())], compiled_ms)
    finally:
        backend.close()


def _first_of(queue: RequestQueue) -> float:
    request = queue.idle()
    queue.start()
    queue.wait()
    return queue.latency_ms(request)


def _queue_loop(file: LoadedFile, queue: RequestQueue, count: int) -> tuple[list[float], float]:
    """Latencies and wall time, as ``async_inference_only`` of benchmark.py: one thread starts whichever request is idle."""
    limit = DURATION_S * file.scale
    samples: list[float] = []
    started_once = set[int]()
    runs = 0
    started, spent = file.now(), 0.0
    while spent < limit or runs % count:
        request = queue.idle()
        if request in started_once:
            samples.append(queue.latency_ms(request))
        started_once.add(request)
        queue.start()
        runs += 1
        spent = file.now() - started
    queue.wait()
    seconds = file.now() - started
    return samples + [queue.latency_ms(request) for request in started_once], seconds


def _blocking(file: LoadedFile, requests: Sequence[Inference], compiled_ms: float) -> ToolReport:
    first = _once(file, requests[0])
    samples, seconds = _main_loop(file, requests)
    notes = (
        ("the engine does not count its own latency: calls were timed from outside",) if requests[0].latency_ms is None else ()
    )
    return _report(file, _head(compiled_ms, first), [value for own in samples for value in own], seconds, len(requests), notes)


def _head(compiled_ms: float, first_ms: float) -> Values:
    return {"Compile model took (ms)": compiled_ms, "First inference took (ms)": first_ms}


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
    file: LoadedFile, head: Values, times: Sequence[float], seconds: float, requests: int, notes: tuple[str, ...] = ()
) -> ToolReport:
    ordered = sorted(times)
    values: Values = {
        **head,
        "Number of infer requests": requests,
        "Count (iterations)": len(times),
        "Duration (ms)": seconds * 1e3,
        "Median (ms)": percentile(ordered, 50),
        "Average (ms)": sum(times) / len(times),
        "Min (ms)": ordered[0],
        "Max (ms)": ordered[-1],
        "Throughput (FPS)": file.batch * len(times) / seconds,
    }
    return ToolReport(values, tuple(times), seconds, notes)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """``percentile`` of benchmark.py."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]
