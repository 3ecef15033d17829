"""A board: a connection that is made again after a cut, and the agent there, whose verbs can be called twice."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import secrets
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from edgecnn.errors import BackendError, InputError
from edgecnn.json_text import dump_json
from edgecnn.remote.address import BoardAddress
from edgecnn.remote.agent.main import REFUSED
from edgecnn.remote.agent_archive import agent_archive, agent_name
from edgecnn.remote.board_platform import BoardPlatform
from edgecnn.remote.link import Link, LinkLostError, finish

PATIENCE_S: Final = 150.0  # how long a cut connection is tried again; a job on the board waits somewhat longer
MOST_ENDS: Final = 3  # of a command there that a signal ends within STEADY_S seconds
STEADY_S: Final = 60.0
LEAST_PYTHON: Final = (3, 10)
PYTHONS: Final = ("python3", *(f"python3.{minor}" for minor in range(20, 9, -1)))
# The name of the system and lines "python3.11 3.11", by sh alone, because nothing else is certain to be there.
LOOK: Final = """
uname -s
look='import sys; print(sys.argv[1], "%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < {least})'
for name in {names}; do
  "$name" -c "$look" "$name" 2>/dev/null && break
done
exit 0
"""
# cat ends as usual where the connection is cut, so only the size says that all came over.
PLACE: Final = """
set -e
folder="${{XDG_CACHE_HOME:-$HOME/.cache}}/edgecnn"
part="$folder/.{name}.$$"
is_whole() {{ test -f "$1" && test "$(wc -c < "$1")" -eq {size}; }}
trap 'rm -f "$part"' EXIT
if ! is_whole "$folder/{name}"; then
  mkdir -p "$folder"
  cat > "$part"
  is_whole "$part"
  mv "$part" "$folder/{name}"
fi
echo "$folder/{name}"
"""
Told = Callable[[str], None]
Answer = TypeVar("Answer")


class RemoteBoard:
    """A board by SSH; enter it to connect. ``root`` is the folder of edgecnn there, "" for the usual one.

    ``told`` gets one line at each cut and each new connection. ``cuts`` counts them. Raises ``InputError`` at once where keys, names
    or Python are not right, and when a cut connection can't be made again within ``patience_s`` seconds.
    """

    def __init__(
        self, address: BoardAddress, root: str = "", told: Told = lambda _: None, patience_s: float = PATIENCE_S
    ) -> None:
        self.address, self.root = address, root
        self.link = Link(address)
        self.cuts = 0
        self._told, self._patience_s = told, patience_s
        self._agent = ""
        self.facts: dict[str, Any] = {}
        # two users or machines do not mix their unfinished copies and jobs
        self.client = hashlib.sha256(f"{getpass.getuser()}@{socket.gethostname()}".encode()).hexdigest()[:12]
        self.session = secrets.token_hex(8)  # a job that another one has started is told from an own one

    def __enter__(self) -> RemoteBoard:
        try:
            try:
                self.link.connect()
                python = self._find_python()
                self._agent = f"{shlex.quote(python)} {shlex.quote(self._place_agent())}"
            except LinkLostError as lost:
                if isinstance(lost.__cause__, InputError):
                    raise lost.__cause__ from None
                raise InputError(f"no connection to {self.address}: {str(lost) or 'it was closed'}", "try it again") from lost
            self.facts = self.ask("probe")
            self.root = str(self.facts["root"])
        except BaseException:
            self.link.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.link.close()

    @property
    def platform(self) -> BoardPlatform:
        """What can be installed there."""
        name, version = self.facts["libc"]
        if name not in ("glibc", "musl"):
            raise InputError(f"{self.address}: the C library of its Python is unknown", "use a Python with glibc or musl")
        major, minor = (*map(int, version.split(".")[:2]), 0)[:2] if version else (1, 2)
        python = self.facts["python"]
        return BoardPlatform(str(self.facts["machine"]), (python[0], python[1]), name, (major, minor))

    def ask(self, verb: str, /, **request: Any) -> dict[str, Any]:
        """The answer of the agent, however often the connection breaks meanwhile."""
        return self.persist(lambda: self._ask(verb, request))

    def ask_once(self, verb: str, /, **request: Any) -> dict[str, Any]:
        """The answer of the agent. Raises ``LinkLostError`` where the connection breaks; for other threads than the one that follows."""
        return self._ask(verb, request)

    def upload(self, source: Path | bytes, path: str, progress: Told = lambda _: None) -> str:
        """Copy a file, or bytes, to ``path`` below the root, unless it is there; the path on the board. A cut copy goes on."""
        data = source if isinstance(source, bytes) else source.read_bytes()
        request = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "client": self.client}
        name = path.rpartition("/")[2]

        def copy() -> None:
            for _ in range(3):  # a damaged copy is sent again
                found = self._ask("received", request)
                if found["complete"]:
                    return
                progress(f"copying {name}, {(len(data) - found['size']) / 1e6:.1f} MB")
                found = self._ask("receive", {**request, "offset": found["size"]}, data[found["size"] :])
                if found["complete"]:
                    return
            raise BackendError(
                f"{name} could not be copied to {self.address} unchanged", "check the disk and memory of the board"
            )

        self.persist(copy)
        return f"{self.root}/{path}"

    def download(self, path: str, size: int, sha256: str) -> bytes:
        """The content of a file below the root; a cut copy goes on. Raises ``BackendError`` where it differs from its SHA-256."""
        received = bytearray()

        def copy() -> None:
            process = self.link.start(self._command("send"))
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(OSError):
                process.stdin.write(self._line({"path": path, "offset": len(received)}))
                process.stdin.close()
                while block := os.read(process.stdout.fileno(), 1 << 16):
                    received.extend(block)
            finish(process)
            if len(received) < size:
                raise LinkLostError("the copy was cut")

        self.persist(copy)
        if hashlib.sha256(received).hexdigest() != sha256:
            raise BackendError(f"{path} of {self.address} could not be copied unchanged", "run it again")
        return bytes(received)

    def persist(self, action: Callable[[], Answer]) -> Answer:
        """Do ``action``; where the connection breaks, make it again and repeat.

        Raises ``BackendError`` where the connection stands and what was started there is ended by a signal, again and again.
        """
        ended = 0
        while True:
            began = time.monotonic()
            try:
                return action()
            except LinkLostError as lost:
                if not self.link.stands():
                    self.reconnect(lost)
                    continue
                ended = ended + 1 if time.monotonic() - began < STEADY_S else 1
                if ended == MOST_ENDS:
                    raise BackendError(
                        f"{self.address} ended what this command started there {MOST_ENDS} times",
                        "check its memory: dmesg there names what was killed",
                    ) from lost

    def reconnect(self, lost: LinkLostError) -> None:
        """Make the connection again. Raises ``InputError`` after ``patience_s`` seconds."""
        self.cuts += 1
        self._told(f"{self.address}: the connection was cut, connecting again")
        until, wait = time.monotonic() + self._patience_s, 0.2
        while True:
            try:
                self.link.connect()
            except LinkLostError as again:
                if time.monotonic() + wait > until:
                    raise InputError(
                        f"the connection to {self.address} was cut and could not be made again in {self._patience_s:.0f} s: {again}",
                        "run the same command again to go on where it ended",
                    ) from lost
                time.sleep(wait)
                wait = min(2 * wait, 5.0)
            else:
                return

    def start_agent(self, verb: str, /, **request: Any) -> subprocess.Popen[bytes]:
        """Start a verb that goes on, and send its request; its standard input stays open. Raises ``LinkLostError``."""
        process = self.link.start(self._command(verb))
        assert process.stdin is not None
        try:
            process.stdin.write(self._line(request))
            process.stdin.flush()
        except OSError as error:
            raise LinkLostError(finish(process)[1] or str(error)) from error
        return process

    def refusal(self, answer: dict[str, Any]) -> InputError:
        """The error that an answer of the agent holds."""
        return InputError(f"{self.address}: {answer['problem']}", answer["fix"])

    def _ask(self, verb: str, request: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        done = self.link.run(self._command(verb), self._line(request) + data)
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        try:
            answer: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        except ValueError:
            answer = {}
        if done.returncode == REFUSED and "problem" in answer:
            raise self.refusal(answer)
        if done.returncode or not lines or (not answer and lines[-1] != "{}"):
            text = done.stderr.decode(errors="replace").strip().splitlines()
            raise BackendError(
                f"{self.address}: {verb} failed there with exit code {done.returncode}: {text[-1] if text else 'no message'}",
                "check the board by hand",
            )
        return answer

    def _line(self, request: dict[str, Any]) -> bytes:
        return dump_json({"root": self.root, **request}).encode() + b"\n"

    def _command(self, verb: str) -> str:
        return f"exec {self._agent} {verb}"

    def _find_python(self) -> str:
        """The Python there that is new enough. Raises ``InputError``."""
        done = self.link.run("exec sh -s", LOOK.format(names=" ".join(PYTHONS), least=LEAST_PYTHON).encode())
        lines = done.stdout.decode(errors="replace").split("\n")
        lines = [line.strip() for line in lines if line.strip()]  # a login script may have printed before
        systems = {"Linux", "Darwin", "FreeBSD", "OpenBSD", "NetBSD"} & set(lines)
        if "Linux" not in systems:
            raise InputError(
                f"{self.address} does not run Linux ({', '.join(systems) or 'it has no uname'})", "use a board with Linux"
            )
        found = [line.split() for line in lines if line.startswith("python3") and len(line.split()) == 2]
        versions = {name: tuple(map(int, version.split("."))) for name, version in found}
        if not versions:
            raise InputError(f"{self.address} has no Python 3", "install it there, for example: apt install python3")
        for name, version in versions.items():
            if version >= LEAST_PYTHON:
                return name
        newest = ".".join(map(str, max(versions.values())))
        raise InputError(
            f"{self.address} has Python {newest}, which is too old: edgecnn needs {'.'.join(map(str, LEAST_PYTHON))} or newer",
            "install a newer Python there, as python3 or python3.N in its PATH",
        )

    def _place_agent(self) -> str:
        archive = agent_archive()
        done = self.link.run(f"exec sh -c {shlex.quote(PLACE.format(name=agent_name(), size=len(archive)))}", archive)
        if done.returncode:
            text = done.stderr.decode(errors="replace").strip().splitlines()
            reason = text[-1].rpartition(": ")[2].lower() if text else "no message"
            raise InputError(
                f"{self.address}: can't write into the cache folder there: {reason}",
                "free some space there, or check its permissions",
            )
        return done.stdout.decode().strip().splitlines()[-1]
