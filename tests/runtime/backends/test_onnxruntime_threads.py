"""How many threads ONNX Runtime starts: the callers of ``run`` compute too, so they count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.cpus import usable_cpus
from tests.contracts.tiny import Graph, write

STARTED = """
import os, sys
from pathlib import Path
from edgecnn.runtime.backends import open_backend
open_backend(Path(sys.argv[1]), threads=1).close()  # the first session of a process starts a thread of the library's own
for pair in sys.argv[2:]:
    threads, requests = (int(number) for number in pair.split("x"))
    before = len(os.listdir("/proc/self/task"))
    backend = open_backend(Path(sys.argv[1]), threads=threads or None, requests=requests)
    print(pair, len(os.listdir("/proc/self/task")) - before)
    assert backend.concurrency == requests
    backend.close()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in Linux's /proc")
def test_threads_started_and_callers_are_as_many_as_asked_for(tmp_path: Path) -> None:
    """A pool of n threads counts its caller in and starts n - 1; of 4 threads for 3 callers each has 2, itself and another."""
    path = write(tmp_path, "onnx", Graph({"out": np.zeros((1, 3), np.float32)}))
    started = {"1x1": 0, "2x1": 1, "4x1": 3, "4x2": 2, "4x3": 1, "4x4": 0, "2x4": 0}
    started["0x2"] = max(usable_cpus() - 1, 1) - 1  # without a number of threads all processors are shared by the callers
    command = [sys.executable, "-c", STARTED, str(path), *started]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {pair: int(count) for pair, count in (line.split() for line in done.stdout.splitlines())} == started
