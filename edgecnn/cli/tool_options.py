"""`edgecnn benchmark --as`: the definitions of other benchmark tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import Options
from edgecnn.cli.scenario_options import SHOWN
from edgecnn.errors import InputError

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.config import BenchmarkConfig

TOOL_OPTIONS: Options = (
    (
        ("--as", "as_tool"),
        {
            "metavar": "TOOL[:VARIANT]",
            "default": "",
            "help": "Measure by the definition of another tool, under its names: benchmark_app[:latency], trtexec, tflite, "
            "mlperf[:multistream|offline|tiny] or ultralytics[:profile]. Durations are the tool's; --quick takes a tenth.",
        },
    ),
)
NOT_WITH_TOOL = (("clocks", "clock"), ("html_path", "html"), ("image", "picture"), ("profile", "profile"), *SHOWN)


def refuse_given(context: click.Context, names: tuple[tuple[str, str], ...], other: str) -> None:
    """Raise ``InputError`` for an option of ``names`` (keyword argument, option) that was given although ``other`` does not use it."""
    for name, shown in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise InputError(f"--{shown} does nothing with {other}", "leave it out")


def benchmark_as(context: click.Context, config: BenchmarkConfig, name: str) -> None:
    """`edgecnn benchmark --as`: print the values of the tool, write them as JSON."""
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.benchmarks.measure.tools.registry import TOOLS, parse_tool
    from edgecnn.benchmarks.measure.tools.run import measure_as
    from edgecnn.benchmarks.report.document import to_json
    from edgecnn.benchmarks.report.tool_report import tool_document, tool_text
    from edgecnn.files import check_reports, write_file

    refuse_given(context, NOT_WITH_TOOL, "--as")
    try:
        tool, variant = parse_tool(name)
    except InputError as error:
        raise InputError(f"--as: {error.problem}", error.fix) from None
    check_reports([config.json_path], [part for path in config.files for part in model_files(path)])
    quick = "; of that a tenth by --quick" if config.protocol.name == "quick" else ", shorter with --quick"
    with interruptible("the benchmark was interrupted, no report was written") as progress:
        # ten minutes for MLPerf: without this line nothing would tell where there is no terminal
        progress.above(f"{name} measures each file for {TOOLS[tool][variant].definition.duration}{quick}")
        record = measure_as(config, tool, variant, progress)
    click.echo(tool_text(record))
    if config.json_path is not None:
        write_file(config.json_path, to_json(tool_document(record)))
        click.echo(f"\nwrote {config.json_path}")
