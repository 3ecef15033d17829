"""A measuring process whose model does extra work inside each call: a slowdown that the harness can only see in the times.

`comparisons` starts it in place of `edgecnn.benchmarks.measure.child`, with the share of extra time before the setup.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from time import process_time
from typing import Any

from edgecnn.benchmarks.measure import child


class SlowedBackend:
    """Runs another backend and then computes on for ``share`` of the processor time that it took."""

    def __init__(self, backend: Any, share: float) -> None:
        self._backend, self._share = backend, share

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def run(self, feeds: Any) -> Any:
        """What the other backend returns, later."""
        started = process_time()
        found = self._backend.run(feeds)
        ended = process_time()
        until = ended + self._share * (ended - started)
        while process_time() < until:
            pass
        return found


def main(share: float, setup: dict[str, Any]) -> None:
    """As the measuring process, with a slowed model; its errors end the process, which the parent reports."""
    predictor, report = child.cold_start(setup)
    predictor.backend = SlowedBackend(predictor.backend, share)
    child.serve(child.connect(setup), predictor, report)


if __name__ == "__main__":
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        main(float(sys.argv[1]), json.loads(sys.argv[2]))
    os._exit(0)  # as the measuring process: engines with live threads may hang while the interpreter shuts down
