"""A stand-in for the systemd of a user on a board: a thread of the test that starts services, and a systemctl that talks to it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

from tests.remote.ssh_board import SshBoard

CLIENT = """#!{python}
import json, socket, sys
with socket.socket(socket.AF_UNIX) as to:
    to.connect({place!r})
    to.sendall(json.dumps(sys.argv[1:]).encode())
    to.shutdown(socket.SHUT_WR)
    sys.stdout.write(to.makefile().read())
"""


class FakeSystemd:
    """Runs one process for each unit, by its ExecStart; knows what `edgecnn deploy` asks of systemctl."""

    def __init__(self, board: SshBoard) -> None:
        self._board = board
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        place = board.folder / "systemd.sock"
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(place))
        self._listening.listen()
        self._client = board.bin / "systemctl"
        self._client.write_text(CLIENT.format(python=sys.executable, place=str(place)))
        self._client.chmod(0o755)
        self._place = place
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()
        self._place.unlink()
        self._client.unlink()
        for name in list(self._running):
            self._stop(name)

    def _serve(self) -> None:
        while True:
            try:
                asked, _ = self._listening.accept()
            except OSError:
                return
            # a systemctl that was killed in the middle of a call ends that call, and no later one
            with suppress(OSError, ValueError), asked, asked.makefile() as reader:
                words = [word for word in json.loads(reader.read()) if word not in ("--user", "--no-block", "--value", "--now")]
                asked.sendall(self._answer(words).encode())

    def _answer(self, words: list[str]) -> str:
        verb, name = words[0], next((word for word in words[1:] if not word.startswith("--")), "")
        running = self._running.get(name)
        alive = running is not None and running.poll() is None
        if verb in ("restart", "disable"):
            self._stop(name)
        if verb == "restart":
            self._start(name)
        if "--property=MainPID" in words:
            return f"{running.pid if running is not None and alive else 0}\n"
        return ("active\n" if alive else "failed\n") if "--property=ActiveState" in words else ""

    def _start(self, name: str) -> None:
        unit = self._board.home / ".config/systemd/user" / name
        settings = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#"))
        start = shlex.split(settings["ExecStart"])
        command = f"cd {shlex.quote(settings['WorkingDirectory'])} && exec {shlex.join(start)}"
        with (self._board.home / "service.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(self._board.folder / "enter")],
                env={**os.environ, "SSH_ORIGINAL_COMMAND": command},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _stop(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        with suppress(OSError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
