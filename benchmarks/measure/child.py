"""The child process of one model file: it measures cold start and peak memory, then answers requests of the parent over a pipe.

One process per file separates the engines' thread pools and allocators, measures peak memory of one file only, and turns a crash
of an engine into a one-line error. ``process.py`` starts ``python -m edgecnn.benchmarks.measure.child SETUP``; SETUP is JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

STARTED = monotonic()  # the interpreter is up, nothing of edgecnn is imported yet: the end of the python_ms stage
FRAME = (480, 640, 3)


def main(setup: dict[str, Any]) -> None:
    """Load the file, then answer requests until the pipe closes."""
    # Ctrl-C reaches the whole process group: the parent handles it and ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            opened = cold_start(setup)
        except Exception as error:
            connect(setup).send(_failure(error))
        else:
            serve(connect(setup), *opened)


def cold_start(setup: dict[str, Any]) -> tuple[Predictor, dict[str, Any]]:
    """Import, load and predict once; the stages in milliseconds and the peak memory in MiB, measured before anything else is imported.

    ``spawned`` of the setup is the parent's monotonic clock just before it started this process: CLOCK_MONOTONIC is the same in
    all processes of a machine.
    """
    from edgecnn.runtime.backends import file_format
    from edgecnn.runtime.backends.engines import engine_for, engine_module
    from edgecnn.runtime.model.predictor import Predictor

    path = Path(setup["path"])
    with suppress(ImportError):
        engine_module(engine_for(path, file_format(path), setup["engine"]).name)
    imported = monotonic()
    options = card_options(setup["options"])
    names = ("threads", "requests", "engine")
    predictor = Predictor(path, setup["device"], options=options, **{name: setup[name] for name in names})
    loaded = monotonic()
    image = _first_frame(predictor)
    worker = predictor.worker()
    worker(image)
    first = monotonic()
    for _ in range(9):  # peak memory is settled after about ten predictions
        worker(image)
    moments = (setup["spawned"], STARTED, imported, loaded, first)
    stage_names = ("python_ms", "import_ms", "load_ms", "first_prediction_ms")
    stages = {name: (after - before) * 1e3 for name, before, after in zip(stage_names, moments, moments[1:], strict=False)}
    return predictor, {"cold_start": stages, "peak_memory_mib": peak_memory_mib()}


def card_options(values: dict[str, Any]) -> CardOptions:
    """CardOptions from JSON, where tuples have become lists and paths text."""
    from edgecnn.runtime.model.card_inference import CardOptions

    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return CardOptions(**{**fields, "labels": Path(fields["labels"]) if fields.get("labels") else None})


def serve(pipe: Any, predictor: Predictor, load_report: dict[str, Any]) -> None:
    """Answer ("name", arguments) with ("ok", value) or a failure, until the parent closes the pipe."""
    from edgecnn.benchmarks.measure.model_under_test import ModelUnderTest

    model = ModelUnderTest(predictor)
    pipe.send(("ok", {**load_report, "card": predictor.card, "concurrency": predictor.backend.concurrency}))
    while True:
        name, arguments = pipe.recv()
        try:
            reply = ("ok", getattr(model, name)(**arguments))
        except Exception as error:
            reply = _failure(error)
        pipe.send(reply)


def peak_memory_mib() -> float:
    """Peak resident memory of this process in MiB.

    From VmHWM of /proc, because ``ru_maxrss`` of a fresh process starts at what its parent had before the fork.
    """
    with suppress(OSError), Path("/proc/self/status").open(encoding="ascii") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _first_frame(predictor: Predictor) -> Any:
    """A grey image, or zeros for a model of tensors."""
    import numpy as np

    tensors = predictor.card.preprocess.tensors
    return np.zeros((*predictor.card.preprocess.size, 3), np.uint8) if tensors else np.full(FRAME, 114, np.uint8)


def connect(setup: dict[str, Any]) -> Any:
    """The child's end of the pipe to the parent."""
    from multiprocessing.connection import Connection

    return Connection(setup["pipe"])


def _failure(error: Exception) -> tuple[Any, ...]:
    """An exception in a form that can be sent: class name, problem and fix of an error that is known, else its class and text."""
    from edgecnn.system_errors import explain

    known = explain(error)
    if known is not None:
        return ("error", type(known).__name__, known.problem, known.fix)
    return (
        "error",
        "",
        f"the measurement failed: {type(error).__name__}: {error}".partition("\n")[0],
        "report it with this line",
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # engines with live threads may hang or crash while the interpreter shuts down
