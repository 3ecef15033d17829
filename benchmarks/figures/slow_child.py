"""A measuring process whose model does extra work inside each call: a slowdown that the harness can only see in the times.

`comparisons` starts it in place of `edgecnn.benchmarks.measure.child`, with the share of extra time before the setup.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from statistics import median
from time import perf_counter, process_time
from typing import Any

from edgecnn.benchmarks.measure import child

CALIBRATION_RUNS = 50


class SlowedBackend:
    """Runs another backend and then computes on for ``share`` of the processor time that a run took when this was made.

    The extra work makes no system calls, which would give the scheduler of a busy machine more moments to switch.
    """

    def __init__(self, backend: Any, share: float) -> None:
        self._backend, self._share = backend, share
        self._extra_s: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def run(self, feeds: Any) -> Any:
        """What the other backend returns, later."""
        if self._extra_s is None:
            self._extra_s = self._share * self._calibrate(feeds)
        found = self._backend.run(feeds)
        until = perf_counter() + self._extra_s
        while perf_counter() < until:
            pass
        return found

    def _calibrate(self, feeds: Any) -> float:
        times = []
        for _ in range(CALIBRATION_RUNS):
            started = process_time()
            self._backend.run(feeds)
            times.append(process_time() - started)
        return median(times)


def main(share: float, setup: dict[str, Any]) -> None:
    """As the measuring process, with a slowed model; its errors end the process, which the parent reports."""
    predictor, report = child.cold_start(setup)
    predictor.backend = SlowedBackend(predictor.backend, share)
    child.serve(child.connect(setup), predictor, report)


if __name__ == "__main__":
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        main(float(sys.argv[1]), json.loads(sys.argv[2]))
    os._exit(0)  # as the measuring process: engines with live threads may hang while the interpreter shuts down
