"""Generators of load for scenarios: several streams, a camera's rate, as fast as possible. They run in the measuring process.

Each ``step`` runs the model once on the next image; there is one for each thread, since workers are not thread-safe.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter, sleep

from edgecnn.benchmarks.measure.timing import settle

Step = Callable[[], object]
Now = Callable[[], float]


@dataclass(slots=True)
class LoadSamples:
    """Latencies in milliseconds in the order of the queries, and how many inferences took how long together."""

    samples_ms: list[float] = field(default_factory=list)
    inferences: int = 0
    seconds: float = 0.0


def closed_loop(step: Step, seconds: float, now: Now = perf_counter) -> LoadSamples:
    """One inference after the other for ``seconds`` seconds, at least one."""
    found = LoadSamples()
    started = before = now()
    while not found.samples_ms or before - started < seconds:
        step()
        after = now()
        found.samples_ms.append((after - before) * 1e3)
        before = after
    found.inferences, found.seconds = len(found.samples_ms), before - started
    return found


def multi_stream(steps: Sequence[Step], streams: int, queries: int, seconds: float, now: Now = perf_counter) -> LoadSamples:
    """Queries of ``streams`` frames, spread over the threads of ``steps``; a query begins when the one before is complete.

    Ends after ``queries`` queries and ``seconds`` seconds (LoadGen's MultiStream).
    """
    found = LoadSamples()
    with ThreadPoolExecutor(max(len(steps) - 1, 1), "stream") as pool:

        def query() -> None:
            # list.pop is atomic: each thread takes frames until none is left; this thread works, too
            frames = [None] * streams
            others = [pool.submit(_take, frames, step) for step in steps[1:streams]]
            _take(frames, steps[0])
            for other in others:
                other.result()

        settle(query)
        started = before = now()
        while len(found.samples_ms) < queries or before - started < seconds:
            query()
            after = now()
            found.samples_ms.append((after - before) * 1e3)
            before = after
    found.inferences, found.seconds = streams * len(found.samples_ms), before - started
    return found


def _take(frames: list[None], step: Step) -> None:
    while True:
        try:
            frames.pop()
        except IndexError:
            return
        step()


def paced(
    steps: Sequence[Step], interval_s: float, frames: int, now: Now = perf_counter, wait: Callable[[float], None] = sleep
) -> LoadSamples:
    """``frames`` frames, one every ``interval_s`` seconds, first come first served by the threads of ``steps``.

    Latency runs from the moment a frame is due to its result, so time in the queue counts, and a slow frame delays those after it.
    How late the system's timer wakes an idle thread does not count.
    """
    latencies = [0.0] * frames
    numbers, lock = itertools.count(), threading.Lock()
    failures: list[BaseException] = []
    for step in steps:
        settle(step)
    started = now()
    ended = [started] * len(steps)

    def serve(thread: int) -> None:
        try:
            while not failures:
                with lock:
                    number = next(numbers)
                if number >= frames:
                    return
                due = started + number * interval_s
                early = due - now()
                if early > 0:
                    wait(early)
                    due = max(due, now())
                steps[thread]()
                ended[thread] = now()
                latencies[number] = (ended[thread] - due) * 1e3
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=serve, args=(index,), name=f"paced-{index}") for index in range(1, len(steps))]
    for thread in threads:
        thread.start()
    serve(0)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    # the last frame stands for a whole interval, so that a device that keeps up reaches the rate
    return LoadSamples(latencies, frames, max(max(ended) - started, frames * interval_s))


def offline(steps: Sequence[Step], seconds: float, now: Now = perf_counter) -> LoadSamples:
    """As many frames as possible with all threads of ``steps``, for ``seconds`` seconds and at least one frame per thread; no latencies."""
    counts = [0] * len(steps)
    started = now()

    def work(index: int) -> None:
        while not counts[index] or now() - started < seconds:
            steps[index]()
            counts[index] += 1

    with ThreadPoolExecutor(len(steps), "offline") as pool:
        for done in [pool.submit(work, index) for index in range(len(steps))]:
            done.result()
    return LoadSamples([], sum(counts), now() - started)
