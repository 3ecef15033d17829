"""`edgecnn run --host`: the run is on a board, its page and its status are here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from edgecnn.cli.remote_options import PLACE_NAMES, forwarded_words
from edgecnn.cli.signals import StopSignals
from edgecnn.errors import InputError

if TYPE_CHECKING:
    from edgecnn.remote.benchmark import RemotePlace

LEFT_OUT: Final = {*PLACE_NAMES, "serve", "token"}
READ: Final = {"labels", "require_signature", "cameras_file"}


def run_remote(context: click.Context, place: RemotePlace, file: Path | None, values: dict[str, Any]) -> None:
    """Run on the board and exit with the exit code of the run there."""
    from edgecnn.remote.run import RemoteRun, run_on_board, secrets_of

    if len(place.hosts) > 1:
        raise InputError("--host: a run is on one board", "start one run for each")
    if values["show"]:
        raise InputError("--show opens a window on the board, which this side does not see", "open the page that --host shows")
    words = forwarded_words(context, LEFT_OUT, READ, [file] if file is not None else [])
    if context.get_parameter_source("log") in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
        words += ["--log", "text"]
    variables = secrets_of(words)
    if values["token"]:
        variables["EDGECNN_TOKEN"] = values["token"]
    with StopSignals() as signals:
        run = RemoteRun(
            place=place,
            words=words,
            variables=variables,
            port=_port(values["serve"]),
        )
        code = run_on_board(run, _print, lambda text: click.echo(text, err=True), lambda stop: _end_by(signals, stop))
    sys.exit(signals.exit_code or code)


def _port(serve: str | None) -> int | None:
    from edgecnn.runtime.view.auth import is_loopback, parse_host_port

    if serve is None:
        return None
    host, port = parse_host_port(serve)
    if not is_loopback(host):
        raise InputError(f"--serve: with --host the page is for this machine only, not at {host}", "give 127.0.0.1:PORT")
    return port


def _end_by(signals: StopSignals, stop: Any) -> None:
    signals.on_stop = lambda: stop(signals.name.removeprefix("SIG"))


def _print(block: bytes) -> None:
    sys.stdout.write(block.decode("utf-8", "replace"))
    sys.stdout.flush()
