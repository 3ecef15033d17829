"""The parent's side of a measuring process: start it, send requests, end it in every case."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path
from time import monotonic
from typing import Any

from edgecnn import errors
from edgecnn.card import ModelCard
from edgecnn.child_process import module_command
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import BackendError, EdgeCnnError
from edgecnn.json_text import dump_json
from edgecnn.runtime.backends.trial_load import SWITCH as TRIAL_LOAD
from edgecnn.runtime.model.card_inference import CardOptions


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Load options of a model file: device, total CPU threads, requests in flight, the user's card options, and the engine.

    ``engine``: None for the default of the format, see ``open_backend``.
    """

    device: Device = CPU
    threads: int | None = None
    requests: int = 1
    options: CardOptions = field(default_factory=CardOptions)
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The report of a process after it loaded its file; ``cold_start`` has the fields of ``ColdStart``.

    ``concurrency`` is the number of threads that may call the backend at once.
    """

    cold_start: Mapping[str, float]
    peak_memory_mib: float
    card: ModelCard
    concurrency: int


CHILD = ("edgecnn.benchmarks.measure.child",)


class OutOfTimeError(BackendError):
    """A process that did not answer before its deadline, and was ended."""


class ModelProcess:
    """A fresh process with one loaded model file; leaving its ``with`` block ends it.

    ``program`` is the module that the process runs, with words that come before the setup.
    Raises what loading the file raises, ``BackendError`` where the process dies, and ``OutOfTimeError`` where it has no
    answer at the ``deadline``, a time of ``monotonic``.
    """

    def __init__(
        self, path: Path, options: LoadOptions, program: Sequence[str] = CHILD, *, deadline: float | None = None
    ) -> None:
        self.path = path
        self._deadline = deadline
        # a file, not a pipe: an unread pipe fills up and blocks an engine that logs a lot
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._pipe, child_end = Pipe()
        try:
            self._child = _start(path, options, program, child_end.fileno(), self._stderr.fileno())
        finally:
            child_end.close()  # otherwise recv() would not raise EOFError when the child dies
        try:
            self.load_report = LoadReport(**self._receive())
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def ask(self, name: str, **arguments: Any) -> Any:
        """Call one method of the child's ``ModelUnderTest`` and wait for its result."""
        try:
            self._pipe.send((name, arguments))
        except OSError:
            raise self._died() from None
        return self._receive()

    def close(self) -> None:
        """End the process; calling it again does nothing."""
        self._pipe.close()
        self._child.kill()  # not terminate(): an engine in native code may not return to Python for seconds
        self._child.wait()
        self._stderr.close()

    def __enter__(self) -> ModelProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _receive(self) -> Any:
        try:
            if self._deadline is not None and not self._pipe.poll(max(self._deadline - monotonic(), 0)):
                self._child.kill()
                raise OutOfTimeError(f"{self.path.name} did not answer in time", "allow more time")
            kind, *rest = self._pipe.recv()
        except (EOFError, OSError):
            raise self._died() from None
        if kind == "ok":
            return rest[0]
        raise _rebuilt(self.path, *rest)

    def _died(self) -> BackendError:
        code = self._child.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = f", last output: {lines[-1][:200]}" if lines else ""
        return BackendError(
            f"the process measuring {self.path.name} ended by {how}{last}", "check the file with edgecnn selftest"
        )


def _start(path: Path, load: LoadOptions, program: Sequence[str], pipe: int, stderr: int) -> subprocess.Popen[bytes]:
    options = {name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(load.options).items()}
    setup: dict[str, Any] = {"path": str(path), "device": str(load.device), "threads": load.threads, "requests": load.requests}
    setup |= {"options": options, "engine": load.engine}
    text = dump_json({**setup, "pipe": pipe, "spawned": monotonic()})
    command = module_command(*program, text)
    # not multiprocessing, whose child would import the main module of the parent and so distort the cold start
    return subprocess.Popen(
        command, pass_fds=[pipe], stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, env=_child_environment()
    )


def _child_environment() -> dict[str, str]:
    """Our environment, without TensorFlow Lite's messages below the level of errors, and without a helper of the helper."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", TRIAL_LOAD: "off"}


def _rebuilt(path: Path, name: str, problem: str, fix: str) -> EdgeCnnError:
    """The error that the child sent; one that is not ours becomes a ``BackendError`` that names the file."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, EdgeCnnError):
        return errors.rebuilt(kind, problem, fix)
    return BackendError(f"{path.name}: {problem}", fix)
