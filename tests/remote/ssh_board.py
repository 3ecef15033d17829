"""A board for tests: a real OpenSSH server on the loopback, with keys, home folder and PATH of its own; the user's ~/.ssh is not used."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from edgecnn.remote.agent.supervisor import descendants

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
ROOT = Path(__file__).parents[2]
WRAPPER = """#!/bin/sh
export HOME={home} XDG_DATA_HOME={home}/.local/share PATH={path} {marker}=1 {variables}
unset XDG_CACHE_HOME
cd "$HOME"
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""
SERVER = """ListenAddress 127.0.0.1:{port}
HostKey "{folder}/host_key"
PidFile none
AuthorizedKeysFile "{folder}/authorized_keys"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
MaxStartups 100
ForceCommand "{folder}/enter"
"""
CLIENT = """Host *
  IdentityFile "{folder}/user_key"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "{folder}/known_hosts"
  GlobalKnownHostsFile /dev/null
  UpdateHostKeys no
"""


class SshBoard:
    """Starts the server on a free port. ``address`` is what --host takes, ``ssh`` what EDGECNN_SSH has to be."""

    def __init__(self, folder: Path, variables: dict[str, str] | None = None) -> None:
        assert SSHD is not None
        self.folder, self.home, self.bin = folder, folder / "home", folder / "bin"
        self.marker = f"EDGECNN_TEST_BOARD_{os.getpid()}_{abs(hash(str(folder)))}"
        for each in (self.home, self.bin):
            each.mkdir(parents=True)
        for name in ("host_key", "user_key"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        self.port = _free_port()
        self._variables = variables or {}
        (folder / "sshd_config").write_text(SERVER.format(folder=folder, port=self.port))
        (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
        self.restore()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with (folder / "log").open("wb") as log:
            self._server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
        self._wait()

    def restore(self) -> None:
        """The usual state: its key is known, the user's key is accepted, its PATH is that of this machine."""
        self.write_wrapper(self._variables)
        self.trust()
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")

    def write_wrapper(self, variables: dict[str, str], path: str = "") -> None:
        """What each session of the board begins with."""
        more = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        text = WRAPPER.format(
            home=shlex.quote(str(self.home)),
            path=shlex.quote(path or f"{self.bin}:{os.environ['PATH']}"),
            marker=self.marker,
            variables=more,
        )
        (self.folder / "enter").write_text(text)
        (self.folder / "enter").chmod(0o755)

    def trust(self, key: Path | None = None) -> None:
        """Write known_hosts with the key of the server, or with ``key``, for each port of the loopback."""
        kind, text = (key or self.folder / "host_key.pub").read_text().split()[:2]
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:* {kind} {text}\n")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ssh(self) -> str:
        return f"ssh -F {shlex.quote(str(self.folder / 'ssh_config'))}"

    def cut(self) -> int:
        """Kill the server's processes of all connections, not the commands of the board; how many there were."""
        found = [pid for pid in descendants(self._server.pid) if _read(Path(f"/proc/{pid}/cmdline")).startswith(b"sshd")]
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def processes(self) -> list[str]:
        """The command lines of what still runs on the board, zombies excepted."""
        return [*self._processes().values()]

    def kill(self, word: str) -> None:
        """Kill the processes of the board with ``word`` in their command line."""
        for pid, line in self._processes().items():
            if word in line:
                os.kill(pid, signal.SIGKILL)

    def _processes(self) -> dict[int, str]:
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and self.marker.encode() in _read(entry / "environ"):
                found[int(entry.name)] = _read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace")
        return found

    def wait_until_idle(self, seconds: float = 30.0) -> list[str]:
        """What runs there after this time at the most."""
        until = time.monotonic() + seconds
        while (found := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def close(self) -> None:
        self.cut()
        self._server.terminate()
        self._server.wait()
        for pid in self._processes():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _wait(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as found:
                if found.recv(4) == b"SSH-":
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())


def python_path() -> dict[str, str]:
    """Variables with which a Python of the board finds this edgecnn without an installation."""
    return {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "EDGECNN_TRIAL_LOAD": "off"}


def this_python() -> str:
    return sys.executable


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
