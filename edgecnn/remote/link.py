"""A connection to a board through the system's ``ssh``, with the user's own configuration, keys and known hosts.

One master connection carries all commands and tunnels (``ControlMaster``, ssh_config(5)). It ends with this process, however that ends:
its remote command reads standard input, which closes then.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from edgecnn.errors import InputError
from edgecnn.remote.address import BoardAddress
from edgecnn.remote.ssh_errors import connection_error, may_pass

SSH: Final = "EDGECNN_SSH"  # another command than ssh, such as "ssh -F FILE"
LOST: Final = 255  # the exit code of ssh for its own failures
CONNECT_S: Final = 15
ENDED_WITHIN_S: Final = 2.0
ALIVE_S, ALIVE_COUNT = 5, 3  # a link that is silent for 15 s is dead
OPTIONS: Final = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",  # a host key is never accepted silently
    f"ConnectTimeout={CONNECT_S}",
    f"ServerAliveInterval={ALIVE_S}",
    f"ServerAliveCountMax={ALIVE_COUNT}",
    "ForwardAgent=no",
    "ForwardX11=no",
    "RequestTTY=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "EscapeChar=none",
)


class LinkLostError(Exception):
    """The connection is cut, or can't be made at the moment."""


class Link:
    """The connection to one board; ``connect`` makes it, again after a cut. Close it, or use it as a context manager."""

    def __init__(self, address: BoardAddress) -> None:
        self.address = address
        self._ssh = shlex.split(os.environ.get(SSH, "")) or ["ssh"]
        if shutil.which(self._ssh[0]) is None:
            raise InputError(
                f"{self._ssh[0]} is not installed", "install the OpenSSH client, for example: apt install openssh-client"
            )
        # the path of a Unix socket has at most 107 bytes, so it is not in a long temporary folder
        self._folder = Path(tempfile.mkdtemp(prefix="edgecnn-ssh-", dir="/tmp"))
        self._master: subprocess.Popen[bytes] | None = None
        self._number = 0

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def is_up(self) -> bool:
        """Whether the master connection still stands, as far as this side knows."""
        return self._master is not None and self._master.poll() is None

    def stands(self) -> bool:
        """Whether it still stands after a command of it broke; where it is cut, its process needs a moment to end."""
        if self._master is None:
            return False
        with suppress(subprocess.TimeoutExpired):
            self._master.wait(ENDED_WITHIN_S)
        return self.is_up

    def connect(self) -> None:
        """Make the master connection. Raises ``InputError``, or ``LinkLostError`` where a later attempt may succeed."""
        self._drop()
        self._number += 1
        log = self._folder / f"log{self._number}"
        options = ["-M", "-o", f"ControlPath={self._socket}", "-o", "ControlPersist=no"]
        with log.open("wb") as out:
            self._master = self._start([*options, *self.address.words, "exec cat"], stdin=subprocess.PIPE, stdout=out, stderr=out)
        until = time.monotonic() + 2 * CONNECT_S
        while not self._socket.exists():
            if self._master.poll() is not None or time.monotonic() > until:
                self._drop()
                self._refuse(log.read_text(errors="replace"))
            time.sleep(0.01)

    def run(self, command: str, data: bytes | IO[Any] = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a shell command on the board with ``data`` as its input. Raises ``LinkLostError`` where the connection breaks."""
        process = self.start(command)
        try:
            out, err = process.communicate(data if isinstance(data, bytes) else data.read())
        except BaseException:
            with process:  # closes its pipes
                process.kill()
            raise
        if process.returncode == LOST:
            raise LinkLostError(err.decode(errors="replace"))
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def start(self, command: str, *, stdout: int | IO[Any] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start a shell command on the board, with pipes. Raises ``LinkLostError`` where there is no connection."""
        if not self.is_up:
            raise LinkLostError("no connection")
        words = ["-o", "ControlMaster=no", "-o", f"ControlPath={self._socket}", *self.address.words, command]
        return self._start(words, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)

    def forward(self, local: int, remote: int) -> None:
        """Lead ``local`` port of 127.0.0.1 to ``remote`` port of the board's 127.0.0.1. Raises ``LinkLostError``, ``InputError``."""
        if not self.is_up:
            raise LinkLostError("no connection")
        place = f"127.0.0.1:{local}:127.0.0.1:{remote}"
        words = ["-O", "forward", "-L", place, "-o", f"ControlPath={self._socket}", *self.address.words]
        # ClearAllForwardings would clear this one, too
        command = [*self._ssh, "-o", "BatchMode=yes", *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            if not self.is_up:
                raise LinkLostError(done.stderr)
            raise InputError(
                f"no tunnel to {self.address}: {done.stderr.strip() or 'ssh refused'}", "choose another port with --serve"
            )

    def close(self) -> None:
        """End the connection and all that uses it."""
        self._drop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, words: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
        options = [word for option in OPTIONS for word in ("-o", option)]
        environment = {**os.environ, "LC_ALL": "C"}  # its messages are read
        # a session of its own: Ctrl-C in the terminal is for edgecnn, which then ends these in order
        return subprocess.Popen([*self._ssh, *options, *words], env=environment, start_new_session=True, **streams)

    @property
    def _socket(self) -> Path:
        return self._folder / f"s{self._number}"

    def _refuse(self, text: str) -> None:
        error = connection_error(self.address, text)
        if may_pass(text) or not text.strip():
            raise LinkLostError(str(error)) from error
        raise error

    def _drop(self) -> None:
        if self._master is None:
            return
        with suppress(OSError):
            if self._master.stdin is not None:
                self._master.stdin.close()
        self._master.terminate()
        try:
            self._master.wait(2)
        except subprocess.TimeoutExpired:
            self._master.kill()
            self._master.wait()
        self._master = None
        self._socket.unlink(missing_ok=True)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """End a process of ``Link.start`` by the end of its input, or kill it after 3 s; its exit code and what it said on standard error."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(OSError, ValueError):
        process.stdin.close()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with process.stdout, process.stderr:
        return process.returncode, process.stderr.read().decode(errors="replace").strip()
