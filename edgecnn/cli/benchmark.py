"""`edgecnn benchmark`: compares latency by three clocks, memory, cold start, throughput and accuracy of model files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import OptionGroup, optgroup

from edgecnn.cli.choose_options import CHOOSE_OPTIONS, OPTIONS_OF_CHOOSE, candidates, option, take_limits
from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import MODEL_OPTIONS, ModelFile, add_options, dataset_options, model_options, with_help
from edgecnn.cli.ray_options import RAY, take_cluster
from edgecnn.cli.remote_options import RemoteCommand, remote_options, remote_place
from edgecnn.cli.scenario_options import SCENARIO_OPTIONS, SHOWN, take_scenarios
from edgecnn.cli.tool_options import TOOL_OPTIONS, benchmark_as, refuse_given

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.config import BenchmarkConfig
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.runtime.model.card_inference import CardOptions

CLOCKS = ("model", "task", "age")  # a copy of protocol.CLOCKS, so that `--help` does not import NumPy


def parse_clocks(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    """Comma-separated clock names, in the order of CLOCKS; raises ``click.BadParameter``."""
    given = [part.strip() for part in value.split(",")]
    unknown = [name for name in given if name not in CLOCKS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not a clock; give one or more of {', '.join(CLOCKS)}, separated by commas")
    return tuple(clock for clock in CLOCKS if clock in given)


@click.command(
    name="benchmark", cls=RemoteCommand, short_help="Measure latency, memory and accuracy of model files on this device."
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=ModelFile())
@optgroup.group("Measurement")
@optgroup.option("--quick", is_flag=True, help="Quick protocol: 64 runs per clock instead of 662 runs and 10 s.")
@optgroup.option(
    "--clock",
    "clocks",
    metavar="LIST",
    default=",".join(CLOCKS),
    show_default=True,
    callback=parse_clocks,
    help="Clocks to measure, separated by commas.",
)
@optgroup.option("--profile", is_flag=True, help="Time by operator, where the engine gives it; fallbacks are named.")
@partial(add_options, options=CHOOSE_OPTIONS, decorator=OptionGroup("Choice").option)
@partial(add_options, options=SCENARIO_OPTIONS, decorator=OptionGroup("Scenarios").option)
@partial(add_options, options=TOOL_OPTIONS, decorator=OptionGroup("Other definitions").option)
@optgroup.group("Reports")
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results with raw samples as JSON.")
@optgroup.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a self-contained HTML report.")
@optgroup.option("--markdown", "markdown_path", type=click.Path(path_type=Path), help="Write the tables as Markdown.")
@optgroup.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write the numbers as CSV.")
@optgroup.option(
    "--history",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the record in this folder, for edgecnn compare --history.",
)
@optgroup.option(
    "--keep-partial", is_flag=True, help="After an interrupt, report the clocks that are complete, marked as partial."
)
@optgroup.option("--picture", "image", type=click.Path(path_type=Path), help="PNG or JPEG image for the HTML report.")
@dataset_options(
    (
        ("--data",),
        {
            "metavar": "ADDRESS",
            "default": "",
            "help": "Dataset for inputs and accuracy: DIR[?PARAMETERS], COCO .json file or scene:cups?...  "
            "[default: built-in inputs, no accuracy]",
        },
    ),
    (("--strict",), {"is_flag": True, "help": "Stop at any problem in the dataset."}),
)
@partial(model_options, table=with_help(MODEL_OPTIONS, "--threads", "CPU threads of every engine.  [default: all processors]"))
@remote_options(several=True)
@partial(add_options, options=RAY, decorator=OptionGroup("On several machines").option)
@click.pass_context
def command(
    context: click.Context,
    /,
    data: str,
    selection: dict[str, Any],
    strict: bool,
    quick: bool,
    options: CardOptions,
    **values: Any,
) -> None:
    """Measure model files on this device in interleaved rounds.

    \b
    edgecnn benchmark cups-fp32.onnx cups-int8.onnx cups-int8.xml
    edgecnn benchmark cups --data "scene:cups?count=200" --quick --html report.html
    edgecnn benchmark model.safetensors model-int8.onnx --clock model --threads 1 --json result.json
    edgecnn benchmark exported/ --choose --data DIR --max-latency 20ms --min-map 0.55
    edgecnn benchmark cups --host pi@door --host pi@yard:2222 --json "result-{host}.json"
    edgecnn benchmark cups --ray head:6379 --json "result-{host}.json"
    edgecnn benchmark cups --scenario multi-stream,paced --streams 4 --rate 30
    edgecnn benchmark net-int8.xml --as benchmark_app:latency
    edgecnn benchmark cups --scenario sustained --minutes 30 --quick --clock task --json sustained.json

    Latency is measured by three clocks: model (inference alone), task (frame to boxes) and age (capture to result in a live run).
    Also measured: cold start, peak memory, file size, throughput, and with --data accuracy. Speedups are relative to the checkpoint
    (.safetensors) if there is one, otherwise to the first FILE.

    With --choose, exit code 1: no candidate keeps to the limits.
    """
    from edgecnn.benchmarks.measure.config import BenchmarkConfig
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.protocol import FULL, QUICK

    cluster, place = take_cluster(values), remote_place(values)
    _check_place(values, on_boards=place is not None, on_cluster=cluster is not None)
    if place is not None:
        from edgecnn.cli.remote_benchmark import benchmark_boards

        benchmark_boards(context, place, values, extras={"measure"} if data or values["html_path"] else set())
        return
    chosen = DatasetSelection(data, strict=strict, **selection) if data else None
    if values["choose"]:
        _choose(context, chosen, options, values)
        return
    values = _without_choose(values)
    scenarios, tool = take_scenarios(values), values.pop("as_tool")
    config = BenchmarkConfig(data=chosen, scenarios=scenarios, protocol=QUICK if quick else FULL, options=options, **values)
    if tool:
        benchmark_as(context, config, tool)
    elif cluster is not None:
        from edgecnn.cli.ray_benchmark import benchmark_cluster

        benchmark_cluster(config, cluster)
    else:
        _benchmark_here(config)


def _check_place(values: Mapping[str, Any], *, on_boards: bool, on_cluster: bool) -> None:
    """Raise ``InputError`` for options that exclude --host or --ray."""
    from edgecnn.errors import InputError

    if on_cluster and (on_boards or values["choose"]):
        raise InputError(f"--ray and {'--host' if on_boards else '--choose'} exclude each other", "leave one of them out")
    if values["as_tool"] and (on_boards or on_cluster):
        raise InputError("--as measures on the machine it runs on", "leave --host and --ray out, and run it there")
    if values["choose"] and on_boards:
        raise InputError("--choose measures on the machine it runs on", "leave --host out, and run it on the board")


def _without_choose(values: Mapping[str, Any]) -> dict[str, Any]:
    """The other values. Raises ``InputError`` where an option of --choose was given without it."""
    from edgecnn.errors import InputError

    given = [name for name in OPTIONS_OF_CHOOSE if values[name]]
    if given:
        raise InputError(f"{option(given[0])} does nothing without --choose", "add --choose")
    return {name: value for name, value in values.items() if name not in (*OPTIONS_OF_CHOOSE, "choose")}


def _benchmark_here(config: BenchmarkConfig) -> None:
    """Measure on this machine, print the table and name the reports."""
    from edgecnn.benchmarks.report.table import to_table
    from edgecnn.benchmarks.run import benchmark
    from edgecnn.errors import InputError

    with interruptible("the benchmark was interrupted, no report was written") as progress:
        record = benchmark(config, progress, progress.above)
    written = [f"wrote {path}" for path in (config.json_path, config.html_path, config.markdown_path, config.csv_path) if path]
    click.echo("\n".join([to_table(record), "", *written]).rstrip())
    if record.partial:
        raise InputError("the benchmark was interrupted; its reports are partial", "run it again")


def _choose(context: click.Context, data: DatasetSelection | None, options: CardOptions, values: dict[str, Any]) -> None:
    """`edgecnn benchmark --choose`."""
    from edgecnn.benchmarks.choose.choice import choose
    from edgecnn.benchmarks.choose.config import ChooseConfig

    names = (
        ("quick", "quick"),
        ("clocks", "clock"),
        ("html_path", "html"),
        ("image", "picture"),
        *SHOWN,
        ("as_tool", "as"),
        ("profile", "profile"),
    )
    refuse_given(context, names, "--choose")
    budget = take_limits(values)
    fields = ("device", "engine", "threads", "again", "json_path", "require_signature")
    with interruptible("the choice was interrupted, nothing was kept") as progress:
        if data is not None and values["export_to"] is not None:
            data.open()  # a wrong address is told before an export of minutes
        files, not_exported = candidates(values, budget, progress.above)
        given = {name: values[name] for name in fields}
        given |= {} if values["max_minutes"] is None else {"max_minutes": values["max_minutes"]}
        config = ChooseConfig(files=files, not_exported=not_exported, budget=budget, data=data, options=options, **given)
        outcome = choose(config, progress, progress.above)
    click.echo(outcome.text)
    if config.json_path is not None:
        click.echo(f"\nwrote {config.json_path}")
    if not outcome.met:
        sys.exit(1)
