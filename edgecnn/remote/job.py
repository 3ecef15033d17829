"""A command on a board that outlives a cut connection: start it, follow it, stop it, fetch its files."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from edgecnn.errors import EdgeCnnError
from edgecnn.remote.board import RemoteBoard
from edgecnn.remote.link import LinkLostError, finish

LEASE_S: Final = 180.0  # more than the board's patience: a run still is there when the connection is
GRACE_S: Final = 20.0
HEARTBEAT_S: Final = 5.0
Sink = Callable[[str, bytes], None]  # "stdout" or "stderr", and what was printed


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """``words`` is the command, or ``verb`` one of the agent with ``request``; ``environment`` are further variables.

    The job is ended ``lease_s`` seconds after this side was heard last, and killed ``grace_s`` seconds after it was asked to end. Where it
    ended by itself after this side was ended, one that ``resumes`` is taken up by the same command until ``lease_s`` seconds later.
    """

    words: Sequence[str] = ()
    verb: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    lease_s: float = LEASE_S
    grace_s: float = GRACE_S
    resumes: bool = False


@dataclass(frozen=True)
class JobEnd:
    """How a job ended: its exit code, and "ended", "stopped", "left alone" or "lost"."""

    exit_code: int
    why: str


class RemoteJob:
    """The job ``name`` on ``board``; leaving its ``with`` block ends it and removes what is left of it."""

    def __init__(self, board: RemoteBoard, name: str) -> None:
        self.board, self.name = board, f"{name}-{board.client}"
        self._offsets = {"stdout": 0, "stderr": 0}

    def __enter__(self) -> RemoteJob:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Where the connection could not be made again, the board ends it by its lease, and the same command may take it up before."""
        if error is None:
            self.remove()
        elif self.board.link.is_up or not isinstance(error, EdgeCnnError):
            with suppress(LinkLostError, EdgeCnnError):
                if not self.board.link.is_up:
                    self.board.link.connect()
                self.board.ask_once("remove", id=self.name)

    @property
    def folder(self) -> str:
        """The folder of the files that the job writes, below the root."""
        return f"jobs/{self.name}/out"

    def start(self, spec: JobSpec) -> bool:
        """Start it, unless it runs there from before; whether it is new."""
        values: dict[str, Any] = {
            "words": list(spec.words),
            "verb": spec.verb,
            "request": {"root": self.board.root, **spec.request},
        }
        values |= {"environment": dict(spec.environment), "lease_s": spec.lease_s, "grace_s": spec.grace_s}
        values |= {"session": self.board.session, "resumes": spec.resumes}
        return bool(self.board.ask("start", id=self.name, **values)["new"])

    def follow(self, sink: Sink, on_connected: Callable[[], None] = lambda: None) -> JobEnd:
        """Give all that it prints to ``sink`` and return how it ended; a cut connection is made again, and nothing is lost.

        ``on_connected`` is called at the start and after each cut.
        """

        def attached() -> JobEnd:
            on_connected()
            return self._attached(sink)

        return self.board.persist(attached)

    def stop(self, signal: str = "INT") -> None:
        """Ask it to end by INT, TERM or KILL, from any thread; tried again while another thread connects anew."""
        until = time.monotonic() + LEASE_S
        while time.monotonic() < until:
            try:
                self.board.ask_once("stop", id=self.name, signal=signal)
            except LinkLostError:
                time.sleep(0.2)
            else:
                return

    def remove(self) -> None:
        """End it, and remove its folder."""
        self.board.ask("remove", id=self.name)

    def files(self) -> dict[str, bytes]:
        """The files that it wrote, by their names below its folder."""
        listing = self.board.ask("listing", folder=self.folder)["files"]
        return {
            each["name"]: self.board.download(f"{self.folder}/{each['name']}", each["size"], each["sha256"]) for each in listing
        }

    def _attached(self, sink: Sink) -> JobEnd:
        process = self.board.start_agent("follow", id=self.name, offsets=self._offsets)
        stopped = threading.Event()
        beat = threading.Thread(target=_beat, args=(process, stopped), name="edgecnn-heartbeat", daemon=True)
        beat.start()
        try:
            end = self._read(process, sink)
        finally:
            stopped.set()
            beat.join()
            code, text = finish(process)
        if end is None:
            raise LinkLostError(text or f"exit code {code}")
        return end

    def _read(self, process: subprocess.Popen[bytes], sink: Sink) -> JobEnd | None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                said: dict[str, Any] = json.loads(line)
            except ValueError:  # cut in the middle
                return None
            if "problem" in said:
                raise self.board.refusal(said)
            if "end" in said:
                return JobEnd(int(said["end"]["exit"]), str(said["end"]["why"]))
            for name, text in said.items():
                block = base64.b64decode(text)
                self._offsets[name] += len(block)
                sink(name, block)
        return None


def _beat(process: subprocess.Popen[bytes], stopped: threading.Event) -> None:
    """Tell the board from time to time that this side is there."""
    assert process.stdin is not None
    with suppress(OSError, ValueError):
        while not stopped.wait(HEARTBEAT_S):
            process.stdin.write(b"\n")
            process.stdin.flush()
