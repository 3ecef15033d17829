"""`edgecnn sensitivity`: how much each layer of a model loses in int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click_option_group import optgroup

from edgecnn.cli.source_options import model_source, source_options

RANGES = ("min-max", "percentile", "mse", "entropy")


@click.command()
@click.argument("model", metavar="CHECKPOINT")
@optgroup.group("Measurement")
@optgroup.option("--calibration", required=True, metavar="ADDRESS", help="Images, as for `edgecnn export`.")
@optgroup.option("--calibration-count", "count", type=click.IntRange(1), default=32, show_default=True, help="Number of images.")
@optgroup.option("--seed", type=int, default=0, show_default=True, help="Random seed of their selection.")
@optgroup.option("--ranges", type=click.Choice(RANGES), default="min-max", show_default=True, help="How ranges are measured.")
@optgroup.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page with a bar for each layer.")
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the numbers as JSON.")
@source_options
def command(model: str, html_path: Path | None, json_path: Path | None, **values: Any) -> None:
    """Measure the sensitivity of each layer of CHECKPOINT to int8.

    \b
    edgecnn sensitivity fashion-resnet-m --calibration fashion-mnist --html sensitivity.html

    Each layer is quantized alone, and the outputs of the network are compared with those in fp32. The most sensitive layers, those
    with the lowest signal to noise, are what `edgecnn export --max-drop` leaves in float first. CHECKPOINT is what `edgecnn export` takes.
    """
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.benchmarks.report.template import load_jinja
    from edgecnn.export.budget.analysis import SensitivityConfig, analyse
    from edgecnn.files import check_reports, write_file

    options = model_source(values)
    check_reports((html_path, json_path), [Path(model)])
    if html_path is not None:
        load_jinja()
    with ProgressLine() as line:
        report = analyse(
            SensitivityConfig(model=model, model_options=options, **values),
            lambda done, total: line(f"layer {done + 1} of {total}"),
        )
    if html_path is not None:
        from edgecnn.benchmarks.report.sensitivity_page import sensitivity_page

        write_file(html_path, sensitivity_page(report))
    click.echo(report.text())
    if json_path is not None:
        write_file(json_path, report.json())
