"""The process above a job: passes signals on, ends the job when nobody has renewed its lease, and leaves none of its processes behind."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgecnn.remote.agent.files import read_json, write_json

STEP_S = 0.5
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): children whose parent ended become ours, so that they can be found
SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "KILL": signal.SIGKILL}


def supervise(request: dict[str, Any]) -> None:
    """Run the job of a folder to its end and write how it ended to ``state.json``."""
    folder = Path(request["folder"])
    with (folder / "alive").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        spec = read_json(folder / "spec.json")
        try:
            found = Supervised(folder, spec).run()
        except OSError as error:
            found = {"exit": 2, "why": f"the command can't be started: {(error.strerror or str(error)).lower()}"}
        write_json(folder / "state.json", found)


class Supervised:
    """A job's process group, its lease and how it is to end."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        self._folder, self._spec = folder, spec
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            self._process = subprocess.Popen(
                spec["words"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder / "out",
                env={**os.environ, **spec["environment"]},
                start_new_session=True,
            )
        self._renewed, self._seen = time.monotonic(), self._lease()
        self._kill_at: float | None = None
        self._why = "ended"

    def run(self) -> dict[str, Any]:
        """Wait for the end; the exit code and why it ended."""
        try:
            while self._wait() is None:
                self._obey()
                self._check_lease()
                if self._kill_at is not None and time.monotonic() > self._kill_at:
                    self._signal_all(signal.SIGKILL)
        finally:
            self._signal_all(signal.SIGKILL)
            self._reap()
        return {"exit": self._process.returncode, "why": self._why}

    def _wait(self) -> int | None:
        try:
            return self._process.wait(STEP_S)
        except subprocess.TimeoutExpired:
            return None

    def _obey(self) -> None:
        asked = read_json(self._folder / "stop.json")
        if asked is None:
            return
        (self._folder / "stop.json").unlink()
        self._end("stopped", SIGNALS[asked["signal"]])

    def _check_lease(self) -> None:
        seen = self._lease()
        if seen != self._seen:  # the clock of a board may jump, so its times are only compared with each other
            self._renewed, self._seen = time.monotonic(), seen
        elif self._kill_at is None and time.monotonic() - self._renewed > self._spec["lease_s"]:
            self._end("left alone", signal.SIGTERM)

    def _end(self, why: str, number: signal.Signals) -> None:
        self._why = why
        self._kill_at = time.monotonic() + self._spec["grace_s"]
        if number == signal.SIGKILL:
            self._signal_all(number)
        else:
            with suppress(OSError):  # the first process ends its own helpers
                os.kill(self._process.pid, number)

    def _lease(self) -> int:
        try:
            return (self._folder / "lease").stat().st_mtime_ns
        except OSError:
            return 0

    def _signal_all(self, number: signal.Signals) -> None:
        """The whole group, and processes of sessions of their own that came from it."""
        with suppress(OSError):
            os.killpg(self._process.pid, number)
        for pid in descendants(os.getpid()):
            with suppress(OSError):
                os.kill(pid, number)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0)[0]:
                pass


def descendants(pid: int) -> list[int]:
    """All processes below ``pid``."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                # "pid (name) state ppid ...": the name may hold spaces and parentheses
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found
