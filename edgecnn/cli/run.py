"""`edgecnn run`: models on cameras, videos, folders, addresses or the scene, with ledgers that balance."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgecnn.cli.live_motion import motion_options
from edgecnn.cli.live_outputs import WHOLE_OUTPUTS, output_options
from edgecnn.cli.live_view import WHOLE_VIEW, view_options
from edgecnn.cli.options import ModelFile, add_model_options
from edgecnn.cli.signals import StopSignals
from edgecnn.cli.units import parse_seconds
from edgecnn.thresholds import SHOWN_SCORE

if TYPE_CHECKING:
    from edgecnn.cli.wanted import Wanted
    from edgecnn.errors import EdgeCnnError

PATH = click.Path(path_type=Path)
# Options of the whole run; all others may differ from camera to camera.
WHOLE = (
    frozenset({"file", "cameras", "max_frames", "duration", "requests", "pick_threads", "threads", "device", "stats", "log"})
    | WHOLE_OUTPUTS
    | WHOLE_VIEW
)


HELP = f"""Run the model FILE on one or several sources.

Boxes scored {SHOWN_SCORE} or more are shown and written, unless --score-threshold says otherwise. For images, what was found goes to
standard output, a line for each; status and summary go to standard error. Exit code 0 at the end of the sources, 130 after
Ctrl-C (SIGINT) and 143 after SIGTERM, with all outputs finished; 2 where something is wrong.
"""


@click.command("run", help=HELP)
@click.argument("file", type=ModelFile(), required=False)
@click.option(
    "--source",
    multiple=True,
    metavar="[NAME=]SOURCE",
    help="Camera number or device, rtsp:// or http:// address, video, image, folder, 'images/*.jpg', - for standard input, or scene:cups; "
    "may be repeated. ${NAME} in it is taken from the environment. "
    "EDGECNN_SOURCE keeps an address with a password out of the process list.",
)
@click.option(
    "--cameras", type=PATH, metavar="TOML", help="File that names cameras, each with options of its own; a change is taken over."
)
@click.option(
    "--policy",
    type=click.Choice(["latest", "all"]),
    help="latest: the newest frame wins, drops are counted, a video plays at its frame rate. all: nothing is dropped.  "
    "[default: latest for live sources, all for files]",
)
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True, help="Look at each N-th frame; the others are skipped."
)
@click.option("--max-fps", type=click.FloatRange(0, min_open=True), help="Look at no more frames a second.")
@click.option("--max-age", type=parse_seconds, metavar="TIME", help="Warn of results older than 100ms, and count them.")
@click.option("--repeat", type=click.IntRange(0), default=1, show_default=True, help="Play files N times; 0 without end.")
@click.option("--timeout", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Seconds that a frame may take.")
@click.option(
    "--reconnect/--no-reconnect", default=True, help="Connect live sources again when they break.  [default: reconnect]"
)
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds to try for the first picture of a live source; inf for ever.",
)
@click.option(
    "--frozen-after",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds of the same picture after which a live source counts as frozen.",
)
@click.option("--max-frames", type=click.IntRange(1), help="Stop after N results of a camera.")
@click.option("--duration", type=click.FloatRange(0, min_open=True), help="Stop after N seconds.")
@click.option(
    "--requests",
    type=click.IntRange(1),
    help="Inferences in flight.  [default: 1 with latest, one for each core and one more with all]",
)
@click.option(
    "--pick-threads/--no-pick-threads",
    default=None,
    help="Measure for a second how many threads and inferences at once are best here for each model.  "
    "[default: for live sources on the CPU without --threads, --requests, --max-frames, --duration]",
)
@click.option("--stats", type=PATH, help="Throughput, stage times, frame age and ledger as JSON.")
@click.option("--show", is_flag=True, help="Show a window for each camera; q ends the run.")
@motion_options
@output_options
@view_options
@click.option(
    "--log",
    type=click.Choice(["auto", "text", "json"]),
    envvar="EDGECNN_LOG",
    default="auto",
    show_default=True,
    help="Status and events as text, or as JSON lines; auto: JSON where standard error is no terminal.",
)
@add_model_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> None:
    """``edgecnn run``."""
    from edgecnn.cli.live_run import LiveRun
    from edgecnn.errors import EdgeCnnError

    own = [f"--{name}" for name in ("threads", "requests") if values[name] is not None]
    _check(context, not (values["pick_threads"] and own), f"--pick-threads or {' and '.join(own)}, not both")
    wanted, reread = _wanted(context, values)
    with StopSignals() as signals:
        run = LiveRun(wanted, {name: values[name] for name in WHOLE}, signals, reread)
        error: EdgeCnnError | None = None
        try:
            run.go()
        except EdgeCnnError as problem:
            error = problem
        run.report(error)
    if run.stuck:
        _end_now(error, signals.exit_code)
    if error is not None:
        raise error
    sys.exit(signals.exit_code)


def _wanted(context: click.Context, values: dict[str, Any]) -> tuple[list[Wanted], Callable[[], list[Wanted] | None] | None]:
    """The cameras that are asked for, and what reads them anew where a file names them."""
    from edgecnn.cli.cameras_file import CamerasFile
    from edgecnn.cli.wanted import from_file, from_sources

    sources = values["source"] or tuple(filter(None, [os.environ.get("EDGECNN_SOURCE")]))
    own = {name: value for name, value in values.items() if name not in WHOLE and name != "source"}
    if values["cameras"] is None:
        _check(context, bool(values["file"]), "a model FILE")
        _check(context, bool(sources), "--source or --cameras")
        return from_sources(sources, values["file"], own), None
    _check(context, not values["source"], "--source or --cameras, not both")
    default = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    given = {name: value for name, value in own.items() if context.get_parameter_source(name) not in default}
    file = CamerasFile(values["cameras"], command, frozenset(own) | {"source"})

    def read() -> list[Wanted]:
        return from_file(file, command, values["file"], given)

    return read(), lambda: read() if file.changed() else None


def _check(context: click.Context, fine: bool, wanted: str) -> None:
    if not fine:
        raise click.UsageError(f"wanted {wanted}.", context)


def _end_now(error: EdgeCnnError | None, code: int) -> None:
    """A thread hangs in a driver: Python's own shutdown would free under its feet what it uses."""
    if error is not None:
        click.echo(f"error: {error}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if error is None else error.exit_code)
