"""Runs work in a forked copy of this process: a crash, an endless run or a demand for all memory then ends only the copy.

The copy starts with everything that is loaded here, for example a prepared model, and sends its results back. Linux only; elsewhere,
and where a library with threads that do not survive a fork is loaded already, ``can_fork`` is false and the caller does without.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import connection, get_context
from pathlib import Path
from time import monotonic
from typing import Any, Final

import cv2
import torch

from edgecnn.child_process import data_bytes, limit_resource
from edgecnn.system_errors import GIB
from edgecnn.train.batch_memory import free_bytes

Send = Callable[[Any], None]
Work = Callable[[Send], None]

# Their thread pools are in use as soon as they are loaded or have run once; a forked copy would wait for threads that it does not have.
THREADED: Final = ("openvino", "jax", "tensorflow")
STEP_CPU_S: Final = (
    3600.0  # of the processor, for one step such as a conversion; a busy machine must not look like an endless run
)
IDLE_S: Final = 600.0  # without a second of processor time: a deadlock
_POLL_S: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


class ChildLostError(Exception):
    """The copy ended before its work: by a signal (``name``, such as SIGSEGV), or "endless", "deadlock" or "memory"."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        texts = {
            "endless": f"does not end within {STEP_CPU_S / 60:.0f} minutes of processor time",
            "deadlock": f"has stood still for {IDLE_S / 60:.0f} minutes",
            "SIGKILL": "was ended by the system, which is short of memory",
        }
        return texts.get(self.name, f"crashed ({self.name})")


def can_fork() -> bool:
    """Whether work can run in a forked copy of this process."""
    return sys.platform == "linux" and not any(name in sys.modules for name in THREADED) and threading.active_count() == 1


class Child:
    """A forked copy that runs ``work``, which gets a function that sends picklable objects; use as a context manager.

    ``received`` yields what was sent so far without waiting, ``ended`` is true after all was received.
    """

    def __init__(self, work: Work) -> None:
        fork = get_context("fork")
        self.inbox, outbox = fork.Pipe(duplex=False)
        self._process = fork.Process(target=_run, args=(work, outbox, os.getpid()))
        with warnings.catch_warnings(), _no_threads():
            # Python 3.12 warns of any thread, also of the waiting ones of OpenBLAS, which is made for this.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        outbox.close()
        self.ended, self._finished = False, False
        self._mark()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        """End the copy, also in the middle of its work."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self.inbox.close()
        self._process.close()

    def received(self) -> Iterator[Any]:
        """All objects that have arrived. Raises ``ChildLostError`` where the copy ended before its work or has to be ended."""
        try:
            while self.inbox.poll():
                found = self.inbox.recv()
                self._mark()
                if isinstance(found, str) and found == _END:
                    self._finished = True
                else:
                    yield found
        except EOFError:
            self.ended = True
            self._process.join()
            if not self._finished:
                code = self._process.exitcode or 0
                raise ChildLostError(
                    signal.Signals(-code).name if code < 0 else "memory" if code == _NO_MEMORY else f"code {code}"
                ) from None
            return
        self._watch()

    def _mark(self) -> None:
        self._step_cpu, self._idle_cpu, self._idle_since = self._cpu(), self._cpu(), monotonic()

    def _watch(self) -> None:
        """End a copy whose step takes too long, or that waits for nothing."""
        spent = self._cpu()
        if spent - self._idle_cpu > 1:
            self._idle_cpu, self._idle_since = spent, monotonic()
        name = "endless" if spent - self._step_cpu > STEP_CPU_S else "deadlock" if monotonic() - self._idle_since > IDLE_S else ""
        if name:
            self._process.kill()
            self.ended = True
            raise ChildLostError(name)

    def _cpu(self) -> float:
        """Processor seconds of the copy."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_END: Final = "edgecnn.export.child: end"
_NO_MEMORY: Final = 12


def wait(children: list[Child]) -> None:
    """Wait until one of them has sent something or ended, at most a second."""
    connection.wait([child.inbox for child in children], timeout=_POLL_S)


@contextlib.contextmanager
def _no_threads() -> Iterator[None]:
    """A block in which OpenCV and PyTorch have no pool of threads: a copy would wait for the threads that it does not have."""
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])


def _run(work: Work, outbox: connection.Connection, parent: int) -> None:
    """The copy: run ``work``; an exception that ``work`` lets through ends the copy with a code."""
    _prepare(parent)
    code = 1
    try:
        work(outbox.send)
        outbox.send(_END)
        code = 0
    except MemoryError:
        code = _NO_MEMORY
    except BaseException:
        pass
    os._exit(code)  # engines may crash when they are freed


def _prepare(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt from the terminal reaches the parent too, which ends the copies
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nor must it go on where the parent was killed
    if os.getppid() != parent:
        os._exit(1)
    faulthandler.disable()
    _limit_memory()


def _limit_memory() -> None:
    """An allocation beyond what the machine has left fails here, instead of the system ending some process."""
    limit_resource("RLIMIT_CORE", 0)
    free = free_bytes()
    if free is not None:
        limit_resource("RLIMIT_DATA", data_bytes() + free + GIB)
