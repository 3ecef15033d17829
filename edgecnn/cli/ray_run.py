"""`edgecnn run --ray`: the files of a run on several machines."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from edgecnn.cli.signals import StopSignals

if TYPE_CHECKING:
    from edgecnn.cluster.connection import ClusterOptions
    from edgecnn.live.config import RunConfig


def run_files(config: RunConfig, options: ClusterOptions) -> None:
    """Run, print a summary, and end with the exit code of `edgecnn run`."""
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.cluster.run import run_on_cluster
    from edgecnn.cluster.run_outputs import written_files

    stop = threading.Event()
    with StopSignals() as signals, ProgressLine() as line:
        signals.on_stop = stop.set
        quiet = config.log == "off"
        run = run_on_cluster(
            config,
            options,
            stopped=stop.is_set,
            told=(lambda _: None) if quiet else line.above,
            progress=(lambda _: None) if quiet else line,
        )
    if not quiet:
        click.echo(f"{'stopped' if run.stopped else 'done'}: {run.text}", err=True)
        for path in written_files(config) if run.workers else ():
            click.echo(f"  wrote {path}", err=True)
    sys.exit(signals.exit_code)
