"""`edgecnn deploy`: a release of a model file on a board, tested there before it runs, and the one before it where it fails."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.json_text import dump_json
from edgecnn.remote.benchmark import RemotePlace
from edgecnn.remote.board import RemoteBoard, Told
from edgecnn.remote.command import BoardCommand, RunningCommand, file_folder, upload_file
from edgecnn.remote.job import JobSpec, RemoteJob
from edgecnn.remote.runtime import BoardRuntime, refusal_in

Scope = Literal["auto", "user", "system"]
# Makes the unit from its name, the start command and, for a service of a user, the working folder there.
MakeUnit = Callable[[str, str, str], str]
HEALTHY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """``words`` are those after `edgecnn run`, the first of them the model file; ``extras`` are what they need.

    ``scope`` auto: a service of the system for root, else of the user. ``service`` False installs and tests only.
    """

    place: RemotePlace
    name: str
    words: Sequence[str | Path]
    extras: frozenset[str]
    make_unit: MakeUnit
    port: int = 8501
    scope: Scope = "auto"
    service: bool = True
    healthy_s: float = HEALTHY_S


@dataclass(frozen=True)
class Deployed:
    """What runs now: its number, the one before it, and the command that starts it."""

    number: int
    previous: int | None
    start: str
    lingers: bool = True


def deploy(asked: Deployment, told: Told) -> Deployed:
    """Install, test and switch. Raises the error of the selftest or of the service; then the version before runs as it did."""
    (address,) = asked.place.hosts
    with RemoteBoard(address, asked.place.folder, told) as board:
        scope = _scope(asked, board)
        if asked.service:
            board.ask("check_systemd", scope=scope)
        _settle_killed(board, asked, told)
        runtime = asked.place.runtime(board, set(asked.extras), told)
        return _Release(board, runtime, asked, scope, told).deploy()


def roll_back(asked: Deployment, told: Told) -> Deployed:
    """Let the version before run again."""
    (address,) = asked.place.hosts
    with RemoteBoard(address, asked.place.folder, told) as board:
        scope = _scope(asked, board)
        _settle_killed(board, asked, told)
        found = board.ask("before", service=asked.name)
        told(f"{address}: {asked.name} goes back from version {found['current']} to {found['previous']}")
        port = int((found["record"] or {}).get("port") or asked.port)
        return activated(board, asked, scope, port, int(found["previous"]), new=False)


def activated(board: RemoteBoard, asked: Deployment, scope: str, port: int, number: int, *, new: bool) -> Deployed:
    """Switch to a release on the board, in a job, so that a cut connection does not stop it half way.

    Raises ``InputError`` after an interrupt; then the version before runs again.
    """
    request: dict[str, Any] = {"service": asked.name, "number": number, "port": port, "seconds": asked.healthy_s, "new": new}
    request |= {"scope": scope if asked.service else "", "unit_name": _unit_name(asked.name)}
    said = bytearray()
    try:
        with RemoteJob(board, f"activate-{asked.name}-{number}") as job:
            job.start(JobSpec(verb="activate", request=request, lease_s=4 * asked.healthy_s + 300))
            end = job.follow(lambda name, block: said.extend(block) if name == "stdout" else None)
    except KeyboardInterrupt:
        how = _settle(board, asked) if board.link.is_up else "the next one lets the version before run again"
        raise InputError(f"the deployment was interrupted; {how or 'nothing was switched'}", "deploy again") from None
    problem = refusal_in(bytes(said))
    if problem is not None:
        raise board.refusal(problem)
    if end.exit_code:
        how = _settle(board, asked) or f"the switch to version {number} ended with exit code {end.exit_code}"
        raise BackendError(f"{board.address}: the switch was ended from outside; {how}", "deploy again")
    answer = json.loads(said.decode().splitlines()[-1])
    start = f"{board.root}/services/{asked.name}/current/start"
    return Deployed(number, answer["previous"], start, bool(answer.get("linger", True)))


def _settle_killed(board: RemoteBoard, asked: Deployment, told: Told) -> None:
    """Undo a switch that was killed earlier, before anything else is done to the service. Raises ``InputError`` while one goes on."""
    if board.ask("unsettled", service=asked.name)["number"] is not None:
        told(f"{board.address}: {_settle(board, asked)}")


def _settle(board: RemoteBoard, asked: Deployment) -> str:
    """Let the release before a killed switch run again; what came of it."""
    said = bytearray()
    with RemoteJob(board, f"settle-{asked.name}") as job:
        job.start(JobSpec(verb="settle", request={"service": asked.name}, lease_s=4 * asked.healthy_s + 300))
        job.follow(lambda name, block: said.extend(block) if name == "stdout" else None)
    problem = refusal_in(bytes(said))
    if problem is not None:
        raise board.refusal(problem)
    lines = said.decode().splitlines()
    return str(json.loads(lines[-1])["what"]) if lines else ""


class _Release:
    """One release on its way to the board."""

    def __init__(self, board: RemoteBoard, runtime: BoardRuntime, asked: Deployment, scope: str, told: Told) -> None:
        self._board, self._runtime, self._asked, self._scope, self._told = board, runtime, asked, scope, told

    def deploy(self) -> Deployed:
        asked, board = self._asked, self._board
        words = [file_folder(word) + word.name if isinstance(word, Path) else word for word in asked.words]
        digest = hashlib.sha256(
            dump_json([words, self._runtime.words, dict(self._runtime.variables), asked.port]).encode()
        ).hexdigest()
        draft = board.ask("prepare", service=asked.name, digest=digest)
        number, folder = int(draft["number"]), str(draft["folder"])
        try:
            self._told(f"{board.address}: {asked.name}, version {number}")
            there = [upload_file(board, word, folder) if isinstance(word, Path) else word for word in asked.words]
            board.ask("complete", service=asked.name, number=number, **self._texts(folder, there))
            self._selftest(there[0], draft["current"])
        except (EdgeCnnError, KeyboardInterrupt):
            if board.link.is_up:  # else the same command goes on with it
                board.ask("discard", service=asked.name, number=number)
            raise
        return activated(board, asked, self._scope, asked.port, number, new=True)

    def _texts(self, folder: str, words: list[str]) -> dict[str, Any]:
        asked, runtime, root = self._asked, self._runtime, self._board.root
        exports = [f"export {name}={shlex.quote(value)}" for name, value in runtime.variables.items()]
        serve = [] if any(word.partition("=")[0] == "--serve" for word in words) else ["--serve", f"127.0.0.1:{asked.port}"]
        command = shlex.join([*runtime.words, "run", *words, *serve, "--log", "json"])
        start = "\n".join(["#!/bin/sh", "# written by edgecnn deploy", *exports, f"exec {command}", ""])
        data = f"{root}/services/{asked.name}/data" if self._scope == "user" else ""
        unit = asked.make_unit(_unit_name(asked.name), f"{root}/services/{asked.name}/current/start", data)
        record = {"words": words, "environment": runtime.environment, "code": runtime.code, "port": asked.port, "folder": folder}
        return {"start": start, "unit": unit, "record": record}

    def _selftest(self, file: str, current: int | None) -> None:
        """The goldens of the file, with the engine that is installed there."""
        said: list[str] = []
        command = BoardCommand(words=["selftest", file])
        try:
            with RunningCommand(self._board, self._runtime, command, said.append, lambda _: None) as running:
                running.follow(lambda _: None)
        except EdgeCnnError as error:
            stays = "nothing was deployed" if current is None else f"version {current} still runs"
            changed = type(error)(f"{error.problem} ({stays})", error.fix)
            changed.exit_code = error.exit_code
            raise changed from error
        self._told(f"{self._board.address}: the selftest passed")


def _scope(asked: Deployment, board: RemoteBoard) -> str:
    return asked.scope if asked.scope != "auto" else "system" if board.facts["uid"] == 0 else "user"


def _unit_name(name: str) -> str:
    return name if name.startswith("edgecnn") else f"edgecnn-{name}"
