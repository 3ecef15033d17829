"""`edgecnn compare`: whether one measurement or model file is faster than another, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.benchmark import parse_clocks
from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import MODEL_OPTIONS, ModelFile, dataset_options, model_options, with_help
from edgecnn.cli.tool_options import refuse_given

if TYPE_CHECKING:
    from edgecnn.benchmarks.compare.run import CompareConfig
    from edgecnn.runtime.model.card_inference import CardOptions

PATH = click.Path(path_type=Path)
# Parameter and option of what only the measurement of model files uses.
OF_MODEL_FILES = (("clocks", "clock"), *((name, name) for name in ("pairs", "data", "device", "engine", "threads")))


def parse_percent(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """A share from ``5%``, or None; raises ``click.BadParameter``."""
    if value is None:
        return None
    try:
        number = float(value.removesuffix("%")) / 100
    except ValueError:
        number = -1.0
    if not value.endswith("%") or not 0 <= number < 100:
        raise click.BadParameter(f"{value!r} is not a percentage; give one such as 5%")
    return number


@click.command(name="compare", short_help="Compare measurements or model files: faster, slower or no difference shown.")
@click.argument("files", metavar="[FILE FILE...]", nargs=-1, type=ModelFile())
@optgroup.group("Limits")
@optgroup.option(
    "--max-regression",
    metavar="PERCENT",
    callback=parse_percent,
    help="Exit with 1 where latency, cold start, size or memory is worse by more than this, such as 5%.",
)
@optgroup.option(
    "--max-drop", type=click.FloatRange(0), metavar="POINTS", help="Exit with 1 where accuracy drops by more points than this."
)
@optgroup.option("--force", is_flag=True, help="Compare records of different inputs, devices or settings.")
@optgroup.group("Measurement of model files")
@optgroup.option(
    "--clock",
    "clocks",
    metavar="LIST",
    default="model",
    show_default=True,
    callback=parse_clocks,
    help="Clocks to measure: model, task, or both, separated by commas.",
)
@optgroup.option(
    "--pairs", type=click.IntRange(10), default=24, show_default=True, help="Most pairs of processes; fewer where that suffices."
)
@optgroup.group("Reports")
@optgroup.option("--json", "json_path", type=PATH, help="Write the comparison as JSON.")
@optgroup.option("--html", "html_path", type=PATH, help="Write a page: intervals, records side by side, trends of the history.")
@optgroup.option(
    "--history", type=PATH, metavar="DIR", help="Show the records of this folder over time, with changes that are sure."
)
@optgroup.option("--markdown", "markdown_path", type=PATH, help="Write the comparison as Markdown tables.")
@optgroup.option("--csv", "csv_path", type=PATH, help="Write the comparison as CSV.")
@optgroup.option("--junit", "junit_path", type=PATH, help="Write the comparison as JUnit XML; a regression is a failure.")
@optgroup.option("--annotations", type=click.Choice(["github"]), help="Print annotations for GitHub Actions.")
@dataset_options(
    (
        ("--data",),
        {
            "metavar": "ADDRESS",
            "default": "",
            "help": "Dataset for inputs and accuracy of model files: DIR[?PARAMETERS] or scene:cups?...  [default: built-in inputs]",
        },
    ),
    (("--strict",), {"is_flag": True, "help": "Stop at any problem in the dataset."}),
)
@partial(model_options, table=with_help(MODEL_OPTIONS, "--threads", "CPU threads of every engine.  [default: all processors]"))
def command(data: str, selection: dict[str, Any], strict: bool, options: CardOptions, **values: Any) -> None:
    """Compare records of `edgecnn benchmark --json`, or model files.

    \b
    edgecnn compare before.json after.json --max-regression 5%
    edgecnn compare run.json                                          # the files of one record with its reference
    edgecnn compare before.onnx after.onnx --max-regression 5%        # measures both in alternation on this machine
    edgecnn compare before.json after.json --junit compare.xml --annotations github
    edgecnn compare --history measured --html trend.html              # what edgecnn benchmark --history measured kept

    The first FILE is the one before. Each ratio is after/before with its 99 % confidence interval; "faster" or "slower" means that
    the interval excludes 1. Model files show differences of about 1 % on a quiet machine, records of separate runs about 8 %.
    Exit code 1: a regression above the limits.
    """
    from edgecnn.benchmarks.compare.finding import Limits
    from edgecnn.benchmarks.compare.run import RECORD, CompareConfig, compare
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection

    limits = Limits(values.pop("max_regression"), values.pop("max_drop"))
    annotations = values.pop("annotations")
    chosen = DatasetSelection(data, strict=strict, **selection) if data else None
    if not values["files"] and values["history"] is None:
        raise click.UsageError("nothing to compare; name two records, two model files, or a folder with --history")
    if values["files"] and all(path.suffix.lower() == RECORD for path in values["files"]):
        refuse_given(click.get_current_context(), OF_MODEL_FILES, "records")
    config = CompareConfig(limits=limits, data=chosen, options=options, **values)
    with interruptible("the comparison was interrupted, nothing was written") as progress:
        result = compare(config, progress, progress.above)
    click.echo(result.text)
    if annotations:
        from edgecnn.benchmarks.compare.ci_outputs import to_github

        click.echo(to_github(result.comparisons))
    _finish(config, result.comparisons)


def _finish(config: CompareConfig, comparisons: Sequence[Any]) -> None:
    for path in config.reports:
        click.echo(f"wrote {path}")
    found = [f"{finding.file} {finding.title}" for one in comparisons for finding in one.regressions]
    if found:
        count = "1 regression" if len(found) == 1 else f"{len(found)} regressions"
        click.echo(f"error: {count} above the limits: {', '.join(found)}", err=True)
        click.get_current_context().exit(1)
