"""`edgecnn benchmark`: latency by three clocks, memory, cold start, throughput and accuracy of model files, side by side."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile, dataset_options, model_options

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions

CLOCKS = ("model", "task", "age")  # written out, so that `--help` need not import NumPy


def parse_clocks(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    """Comma-separated clock names, in the order of CLOCKS; raises ``click.BadParameter``."""
    given = [part.strip() for part in value.split(",")]
    unknown = [name for name in given if name not in CLOCKS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not a clock; give one or more of {', '.join(CLOCKS)}, separated by commas")
    return tuple(clock for clock in CLOCKS if clock in given)


@click.command(name="benchmark", short_help="Measure latency, memory and accuracy of model files on this device.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=ModelFile())
@click.option("--data", metavar="URI", default="", help="Dataset for inputs and accuracy: scene:cups?..., a folder or a file.")
@click.option("--quick", is_flag=True, help="64 runs per clock instead of 662 runs and 10 s.")
@click.option(
    "--clock",
    "clocks",
    metavar="LIST",
    default=",".join(CLOCKS),
    show_default=True,
    callback=parse_clocks,
    help="Clocks to measure.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results with raw samples as JSON.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a self-contained HTML report.")
@click.option("--picture", "image", type=click.Path(path_type=Path), help="PNG or JPEG to show in the HTML report.")
@dataset_options
@model_options
def command(data: str, selection: dict[str, Any], quick: bool, options: CardOptions, **values: Any) -> None:
    """Measure model files on this device in interleaved rounds.

    Three clocks, never mixed: model (inference alone), task (frame to boxes), age (capture to result, live). Also cold start, peak
    memory, file size, throughput, and with --data the accuracy of the same files. The first FILE, or a checkpoint (.safetensors), is
    the reference of the speedups. Without --threads every engine gets all processors.
    """
    from edgecnn.benchmarks.measure.config import BenchmarkConfig
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.benchmarks.measure.protocol import FULL, QUICK
    from edgecnn.benchmarks.report.table import to_table
    from edgecnn.benchmarks.run import benchmark
    from edgecnn.errors import InputError

    chosen = DatasetSelection(data, **selection) if data else None
    config = BenchmarkConfig(data=chosen, protocol=QUICK if quick else FULL, options=options, **values)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that measuring processes and temporary files are removed
    try:
        with ProgressLine() as progress:
            record = benchmark(config, progress)
    except KeyboardInterrupt:
        raise InputError("the benchmark was interrupted, no report was written", "run it again") from None
    click.echo(to_table(record))
    for path in filter(None, (config.json_path, config.html_path)):
        click.echo(f"\nwrote {path}")
