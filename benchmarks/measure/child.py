"""One model file in a process of its own: cold start and memory first, then what the parent asks for, over a pipe.

A process for each file keeps the engines' thread pools and allocators apart, makes peak memory that of one file, and turns a crash of
an engine into one line. ``python -m edgecnn.benchmarks.measure.child SETUP`` is started by ``process.py``; SETUP is JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

STARTED = monotonic()  # Python itself is up, nothing of edgecnn is imported
FRAME = (480, 640, 3)


def main(setup: dict[str, Any]) -> None:
    """Load the file, then answer requests until the pipe closes; the parent handles an interrupt, not this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            opened = cold_start(setup)
        except Exception as error:
            _connect(setup).send(_failure(error))
        else:
            serve(_connect(setup), *opened)


def cold_start(setup: dict[str, Any]) -> tuple[Predictor, dict[str, Any]]:
    """Import, load and predict once; the stages in milliseconds and memory in MiB, measured before anything else is imported.

    ``spawned`` of the setup is the parent's monotonic clock just before it started this process.
    """
    from edgecnn.runtime.backends import OPENERS, file_format
    from edgecnn.runtime.model.predictor import Predictor

    path = Path(setup["path"])
    with suppress(ImportError):
        import_module(OPENERS[file_format(path)])
    imported = monotonic()
    options = card_options(setup["options"])
    predictor = Predictor(path, setup["device"], threads=setup["threads"], requests=setup["requests"], options=options)
    loaded = monotonic()
    image = _grey()
    worker = predictor.worker()
    worker(image)
    first = monotonic()
    for _ in range(9):
        worker(image)
    moments = (setup["spawned"], STARTED, imported, loaded, first)
    names = ("python_ms", "import_ms", "load_ms", "first_ms")
    stages = {name: (after - before) * 1e3 for name, before, after in zip(names, moments, moments[1:], strict=False)}
    return predictor, {"cold": stages, "peak_mib": peak_mib()}


def card_options(values: dict[str, Any]) -> CardOptions:
    """CardOptions from JSON, where tuples have become lists and paths text."""
    from edgecnn.runtime.model.card_inference import CardOptions

    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return CardOptions(**{**fields, "labels": Path(fields["labels"]) if fields.get("labels") else None})


def serve(pipe: Any, predictor: Predictor, opened: dict[str, Any]) -> None:
    """Answer ("name", arguments) with ("ok", value) or a failure, until the parent closes the pipe."""
    from edgecnn.benchmarks.measure.subject import Subject

    subject = Subject(predictor)
    pipe.send(("ok", {**opened, "card": predictor.card, "concurrency": predictor.backend.concurrency}))
    while True:
        name, arguments = pipe.recv()
        try:
            answer = ("ok", getattr(subject, name)(**arguments))
        except Exception as error:
            answer = _failure(error)
        pipe.send(answer)


def peak_mib() -> float:
    """The most resident memory that this process has had, in MiB.

    From /proc, because ``ru_maxrss`` of a fresh process starts at what its parent had.
    """
    with suppress(OSError), Path("/proc/self/status").open(encoding="ascii") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _grey() -> Any:
    import numpy as np

    return np.full(FRAME, 114, np.uint8)


def _connect(setup: dict[str, Any]) -> Any:
    from multiprocessing.connection import Connection

    return Connection(setup["pipe"])


def _failure(error: Exception) -> tuple[Any, ...]:
    """An exception as something that can be sent: class, problem and fix of an edgecnn error, else class and text."""
    from edgecnn.errors import EdgeCnnError

    if isinstance(error, EdgeCnnError):
        return ("error", type(error).__name__, error.problem, error.fix)
    return (
        "error",
        "",
        f"the measurement failed: {type(error).__name__}: {error}".partition("\n")[0],
        "report it with this line",
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # engines that hold threads may hang or crash while Python tears them down; nothing is left to lose
