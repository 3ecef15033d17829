"""`edgecnn run` on a board: its live view comes here through the connection, Ctrl-C ends both sides."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgecnn.errors import InputError
from edgecnn.remote.benchmark import RemotePlace
from edgecnn.remote.board import RemoteBoard, Told
from edgecnn.remote.command import BoardCommand, Print, RunningCommand, local_paths
from edgecnn.remote.runtime import engine_extras

# Addresses and secrets that `edgecnn run` takes from its environment.
VARIABLES: Final = (
    "EDGECNN_SOURCE",
    "EDGECNN_TOKEN",
    "EDGECNN_MQTT",
    "EDGECNN_MQTT_PASSWORD",
    "EDGECNN_WEBHOOK",
    "EDGECNN_WEBHOOK_SECRET",
    "EDGECNN_LOG",
    "EDGECNN_MAX_IMAGE_PIXELS",
)
USUAL_PORT: Final = 8501


@dataclass(frozen=True, kw_only=True)
class RemoteRun:
    """``words`` are those after `edgecnn run`, without --serve. ``port`` of 127.0.0.1 shows the board's page here: 0 takes a free one,
    None the usual one if it is free; ``page`` False leaves the page out. What the run writes by relative names comes to ``folder``.
    """

    place: RemotePlace
    words: Sequence[str | Path]
    extras: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)
    page: bool = True
    port: int | None = None
    folder: Path = Path()


def run_on_board(run: RemoteRun, out: Print, told: Told, on_started: Callable[[Callable[[str], None]], None]) -> int:
    """Run until it ends; the exit code. ``on_started`` gets a function that ends the run there by INT or TERM, from any thread.

    Raises ``InputError`` and what the run raised there.
    """
    (address,) = run.place.hosts
    extras = set(run.extras) | engine_extras((path for path in local_paths(run.words) if path.suffix != ".pub"), run.words)
    with RemoteBoard(address, run.place.folder, told) as board:
        runtime = run.place.runtime(board, extras | ({"live"} if run.page else set()), told)
        page = _Page(board, run)
        command = BoardCommand(words=["run", *run.words, *page.words], variables=run.variables)
        with RunningCommand(board, runtime, command, page.translated(told), lambda _: None) as running:
            on_started(lambda signal: threading.Thread(target=running.job.stop, args=(signal,), daemon=True).start())
            end = running.follow(out, page.connect)
            for path in running.fetch(run.folder):
                told(f"copied {path} from {address}")
    return end.exit_code


def secrets_of(words: Sequence[str | Path]) -> dict[str, str]:
    """The variables of this environment that a run reads, and those that ``${NAME}`` in its words names."""
    named = {name for word in words if isinstance(word, str) for name in re.findall(r"\$\{(\w+)\}", word)}
    return {name: os.environ[name] for name in sorted({*VARIABLES, *named}) if name in os.environ}


class _Page:
    """The way from a port here to the page of the run there."""

    def __init__(self, board: RemoteBoard, run: RemoteRun) -> None:
        self._board = board
        self._there = int(board.ask("port")["port"]) if run.page else 0
        self._here = _local_port(run.port) if run.page else 0

    @property
    def words(self) -> list[str]:
        """The option with which the run serves its page there."""
        return ["--serve", f"127.0.0.1:{self._there}"] if self._there else []

    def connect(self) -> None:
        """Make the tunnel; after each new connection, because it ends with the old one."""
        if self._there:
            self._board.link.forward(self._here, self._there)

    def translated(self, told: Told) -> Told:
        """``told``, with the address of the page as it is here."""
        if not self._there:
            return told
        return lambda text: told(text.replace(f"127.0.0.1:{self._there}", f"127.0.0.1:{self._here}"))


def _local_port(asked: int | None) -> int:
    with _bound(USUAL_PORT if asked is None else asked) as port:
        if port is not None:
            return port
    if asked is not None:
        raise InputError(f"--serve: port {asked} of this machine is in use", "choose another one, or 0 for a free one")
    with _bound(0) as port:
        return int(port or 0)


@contextmanager
def _bound(port: int) -> Iterator[int | None]:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            yield None
        else:
            yield int(tried.getsockname()[1])
