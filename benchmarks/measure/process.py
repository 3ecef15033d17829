"""The parent's end of one measuring process: start it, ask it, end it whatever happens."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path
from time import monotonic
from typing import Any

from edgecnn import errors
from edgecnn.card import ModelCard
from edgecnn.errors import BackendError, EdgeCnnError, MissingExtraError
from edgecnn.runtime.backends import Device
from edgecnn.runtime.model.card_inference import CardOptions


@dataclass(frozen=True, slots=True)
class Setup:
    """How a file is opened: device, CPU threads in all, requests in flight, and what the user says about the file."""

    device: Device = "cpu"
    threads: int | None = None
    requests: int = 1
    options: CardOptions = field(default_factory=CardOptions)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a process told after it loaded its file: stages of the cold start in milliseconds, peak memory in MiB, the card."""

    cold: Mapping[str, float]
    peak_mib: float
    card: ModelCard
    concurrency: int


class Process:
    """A fresh process that holds one model file; use it in a ``with`` block, which ends it.

    Raises what opening the file raises, and ``BackendError`` where the process dies.
    """

    def __init__(self, path: Path, setup: Setup) -> None:
        self.path = path
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._pipe, theirs = Pipe()
        try:
            self._child = _start(path, setup, theirs.fileno(), self._stderr.fileno())
        finally:
            theirs.close()
        try:
            self.opened = Opened(**self._answer())
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def ask(self, name: str, **arguments: Any) -> Any:
        """Call one method of the ``Subject`` there and wait for its answer."""
        try:
            self._pipe.send((name, arguments))
        except OSError:
            raise self._died() from None
        return self._answer()

    def close(self) -> None:
        """End the process; calling it again does nothing."""
        self._pipe.close()
        self._child.kill()
        self._child.wait()
        self._stderr.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _answer(self) -> Any:
        try:
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
        last = f" after: {lines[-1][:200]}" if lines else ""
        found = f"its process ended by {how}{last}"
        return BackendError(f"a measurement of {self.path.name}", found, "check the file with edgecnn selftest")


def _start(path: Path, setup: Setup, pipe: int, stderr: int) -> subprocess.Popen[bytes]:
    options = {
        name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(setup.options).items()
    }
    wanted = {"path": str(path), "device": setup.device, "threads": setup.threads, "requests": setup.requests, "options": options}
    text = json.dumps({**wanted, "pipe": pipe, "spawned": monotonic()})
    command = [sys.executable, "-m", "edgecnn.benchmarks.measure.child", text]
    return subprocess.Popen(command, pass_fds=[pipe], stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, env=_quiet())


def _quiet() -> dict[str, str]:
    """The environment with messages of the engines off that are not errors."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


def _rebuilt(path: Path, name: str, problem: str, fix: str) -> EdgeCnnError:
    """The error that the child sent; one that is not ours becomes a ``BackendError`` that names the file."""
    if name == "MissingExtraError":
        return MissingExtraError(problem.removesuffix(" is not installed"), fix.partition("[")[2].partition("]")[0])
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, EdgeCnnError):
        return kind(problem, fix)
    return BackendError(f"{path.name}: {problem}", fix)
