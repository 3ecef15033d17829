"""`edgecnn run`: models on cameras, videos, folders, addresses or the scene."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgecnn.cli.options import ModelFile
from edgecnn.cli.ray_options import ray_options, take_cluster
from edgecnn.cli.remote_options import RemoteCommand, remote_options, remote_place
from edgecnn.cli.run_options import run_options
from edgecnn.cli.signals import StopSignals
from edgecnn.thresholds import SHOWN_SCORE

if TYPE_CHECKING:
    from edgecnn.errors import EdgeCnnError
    from edgecnn.live.config import RunConfig


HELP = f"""Run the model FILE on one or several sources.

\b
edgecnn run cups --source scene:cups --serve
edgecnn run person-face-vehicle --source rtsp://camera/door --only person --line entry:0.1,0.5,0.9,0.5 --events -
edgecnn run model.onnx --source video.mp4 --out annotated.mp4 --csv boxes.csv
edgecnn run person-face-vehicle --source 0 --clips clips --mqtt mqtt://broker/home
edgecnn run --cameras cameras.toml --stats stats.json
edgecnn run cups --host pi@door --source 0
edgecnn run model.onnx --source archive/ --csv boxes.csv --ray

Boxes scored {SHOWN_SCORE} or more are shown and written, or from the score of their class on where the model card has one (edgecnn
thresholds). --score-threshold sets one score for all classes, --class-thresholds those of single ones. For images, the objects are printed
to standard output; status and summary go to standard error. Exit code 0 at the end of the sources, 130 after Ctrl-C (SIGINT), 143
after SIGTERM, both with all outputs finished; 2 after an error.
"""


@click.command("run", cls=RemoteCommand, help=HELP)
@click.argument("file", type=ModelFile(), required=False)
@run_options
@remote_options(several=False)
@ray_options
@click.pass_context
def command(context: click.Context, /, file: Path | None, **values: Any) -> None:
    """``edgecnn run``."""
    from edgecnn.errors import EdgeCnnError, InputError
    from edgecnn.live.memory import limit_pools
    from edgecnn.live.session import Session

    cluster, place = take_cluster(values), remote_place(values)
    if place is not None:
        if cluster is not None:
            raise InputError("--host and --ray exclude each other", "leave one of them out")
        from edgecnn.cli.remote_run import run_remote

        run_remote(context, place, file, values)
    limit_pools()
    if cluster is not None:
        from edgecnn.cli.ray_run import run_files

        run_files(run_config(context, file, values), cluster)
    with StopSignals() as signals:
        session = Session(run_config(context, file, values))

        def stop() -> None:
            if not session.playing:  # nothing is written yet, and loading a model can't be interrupted otherwise
                sys.exit(signals.exit_code)
            session.stop(f"stopped by {signals.name}")

        signals.on_stop = stop
        error: EdgeCnnError | None = None
        try:
            session.run()
        except EdgeCnnError as problem:
            error = problem
    if session.stuck:
        _end_now(error, signals.exit_code)
    if error is not None:
        raise error
    sys.exit(signals.exit_code)


def run_config(context: click.Context, file: Path | None, values: dict[str, Any]) -> RunConfig:
    """The configuration that the options describe. Raises ``InputError`` for options that contradict each other."""
    from edgecnn.live.camera_names import split_name
    from edgecnn.live.config import CameraConfig, RunConfig
    from edgecnn.live.config_fields import filled, updated

    default = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    given = {name: value for name, value in values.items() if context.get_parameter_source(name) not in default}
    sources = given.pop("source", ())
    if not sources and "cameras_file" not in given:
        sources = tuple(filter(None, [os.environ.get("EDGECNN_SOURCE")]))
    defaults = updated(CameraConfig(model=file or Path()), given)
    cameras = tuple(updated(defaults, {"name": name, "source": source}) for name, source in map(split_name, sources))
    return filled(RunConfig, given, cameras=cameras, defaults=defaults)


def _end_now(error: EdgeCnnError | None, code: int) -> None:
    """A thread hangs in a driver: a normal exit of Python would free memory that it still uses."""
    if error is not None:
        from edgecnn.videos.opencv_logging import stderr_held

        with stderr_held():  # the thread may have it silenced
            click.echo(f"error: {error}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if error is None else error.exit_code)
