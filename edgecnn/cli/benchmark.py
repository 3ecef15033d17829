"""`edgecnn benchmark`: latency by three clocks, memory, cold start, throughput and accuracy of model files, side by side."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile, model_options

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.record import Record
    from edgecnn.benchmarks.measure.session import Plan
    from edgecnn.runtime.model.card_inference import CardOptions

CLOCKS = ("model", "task", "age")  # written out, so that `--help` need not import NumPy


def parse_clocks(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    """Clock names with commas between, in the order of CLOCKS; raises ``click.BadParameter``."""
    asked = [part.strip() for part in value.split(",")]
    unknown = [name for name in asked if name not in CLOCKS]
    if unknown:
        raise click.BadParameter(f"wanted some of {', '.join(CLOCKS)} with commas between, found {unknown[0]!r}")
    return tuple(clock for clock in CLOCKS if clock in asked)


@click.command(name="benchmark", short_help="Measure latency, memory and accuracy of model files on this device.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=ModelFile())
@click.option("--data", metavar="URI", default="", help="Dataset for inputs and accuracy: scene:cups?..., or a folder or file.")
@click.option("--split", help="Part of the dataset.  [default: test, else val, else all]")
@click.option("--limit", type=click.IntRange(1), help="At most so many images for the accuracy.")
@click.option("--map", "renames", metavar="A=B,...", help="Other names for classes; those with the same name become one.")
@click.option("--merge", metavar="NAME", help="All classes of the dataset as one of this name.")
@click.option("--quick", is_flag=True, help="64 runs of each clock in place of 662 runs and 10 s.")
@click.option(
    "--clock", "clocks", metavar="LIST", default=",".join(CLOCKS), show_default=True, callback=parse_clocks, help="What to time."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write everything, raw samples too, as JSON.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a report as one self-contained page.")
@click.option("--picture", type=click.Path(path_type=Path), help="PNG or JPEG to show in the report.")
@model_options
def command(**values: Any) -> None:
    """Measure model files on this device, in turns so that noise hits all alike.

    Three clocks that are never mixed: model (inference alone), task (frame to boxes), age (capture to result, live). Beside them cold
    start, peak memory, file size, throughput, and with --data the accuracy of the same files. The first FILE, or a checkpoint
    (.safetensors) where one is given, is what the others are compared with. Without --threads every engine gets all processors.
    """
    from edgecnn.errors import InputError

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the measuring processes and removes what is temporary
    try:
        _run(**values)
    except KeyboardInterrupt:
        raise InputError("a measurement that ends by itself", "an interrupt", "run it again; no report was written") from None


def _run(
    files: tuple[Path, ...],
    clocks: Any,
    data: str,
    split: str | None,
    limit: int | None,
    renames: str | None,
    merge: str | None,
    quick: bool,
    json_path: Path | None,
    html_path: Path | None,
    picture: Path | None,
    device: Any,
    threads: int | None,
    options: CardOptions,
) -> None:
    from edgecnn.benchmarks.measure.dataset_choice import DataChoice
    from edgecnn.benchmarks.measure.process import Setup
    from edgecnn.benchmarks.measure.protocol import FULL, QUICK
    from edgecnn.benchmarks.measure.session import Plan

    setup = Setup(device, threads, options=options)
    choice = DataChoice(data, split, limit, renames, merge) if data else None
    plan = Plan(files, setup, QUICK if quick else FULL, clocks, choice)
    _check_outputs(json_path, html_path, picture)
    record = _measure(plan)
    _tell(record, json_path, html_path, picture)


def _check_outputs(json_path: Path | None, html_path: Path | None, picture: Path | None) -> None:
    """Find what would stop the reports before the long measurement, not after it."""
    from edgecnn.benchmarks.report.page import check_picture, load_jinja
    from edgecnn.files import check_writable

    for path in (json_path, html_path):
        if path is not None:
            check_writable(path)
    if html_path is not None:
        load_jinja()
    if picture is not None:
        check_picture(picture)


def _measure(plan: Plan) -> Record:
    from edgecnn.benchmarks.measure.progress import StatusLine
    from edgecnn.benchmarks.measure.session import measure

    with StatusLine() as status:
        return measure(plan, status)


def _tell(record: Record, json_path: Path | None, html_path: Path | None, picture: Path | None) -> None:
    from edgecnn.benchmarks.report.document import to_document, to_text
    from edgecnn.benchmarks.report.page import to_page
    from edgecnn.benchmarks.report.table import to_table
    from edgecnn.files import write_file

    click.echo(to_table(record))
    if json_path is not None:
        write_file(json_path, to_text(to_document(record)))
        click.echo(f"\nwrote {json_path}")
    if html_path is not None:
        write_file(html_path, to_page(record, picture))
        click.echo(f"\nwrote {html_path}")
