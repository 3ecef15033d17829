"""`edgecnn robustness`: accuracy against rotation, shift, scale, occlusion, light, blur, noise, compression and weather."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import ALLOW_OVERLAP, ModelFile, dataset_options, model_options
from edgecnn.cli.signals import INTERRUPTED

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions


@click.command()
@click.argument("files", metavar="FILE...", type=ModelFile(), nargs=-1, required=True)
@dataset_options(
    (
        ("--data",),
        {"required": True, "metavar": "ADDRESS", "help": "Dataset: DIR[?PARAMETERS], COCO .json file or scene:cups?..."},
    ),
    (("--data-labels",), {"metavar": "NAMES", "help": "Class names of a dataset whose files have none: a,b,c or a file."}),
    (("--strict",), {"is_flag": True, "help": "Stop at any problem in the dataset."}),
    ALLOW_OVERLAP,
)
@model_options
@optgroup.group("Transformations")
@optgroup.option(
    "--transform",
    "words",
    multiple=True,
    metavar="NAME[=LEVELS]",
    help="Names, or sets: all, compact, geometry, corruption. Levels are numbers a,b,c or ranges FROM:TO:STEP. May be repeated."
    "  [default: all]",
)
@optgroup.option(
    "--baseline",
    type=ModelFile(),
    help="File whose errors the corruption error (mCE) is divided by; measured, too.  [default: not divided]",
)
@optgroup.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all that is random.")
@optgroup.group("Output")
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
@optgroup.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write the curves, also by class, as CSV.")
@optgroup.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page with plots and example images.")
def command(
    files: tuple[Path, ...],
    data: str,
    data_labels: str | None,
    strict: bool,
    selection: dict[str, Any],
    words: tuple[str, ...],
    baseline: Path | None,
    seed: int,
    json_path: Path | None,
    csv_path: Path | None,
    html_path: Path | None,
    options: CardOptions,
    **model: Any,
) -> None:
    """Measure how the accuracy of model files holds when the images change.

    \b
    edgecnn robustness cups --data "scene:cups?seed=5&cut=1&fps=1&count=150" --html robustness.html
    edgecnn robustness model.safetensors model-int8.onnx --data fashion-mnist --transform rotate=0:345:15 --limit 1000
    edgecnn robustness model-int8.onnx --data fashion-mnist --transform corruption --baseline model-fp32.onnx

    Each image is rotated, shifted, scaled, occluded, made darker and brighter, blurred, made noisy, compressed, put into fog and rain, and
    robbed of a channel, at several levels; classifiers are measured by top-1, detectors by AP50, others by their own metric. In a scene
    the renderer also turns every object, and looks at it from other angles. All files see the same images; 150 of them, evenly spread,
    without --limit. The corruption error is that of Hendrycks and Dietterich (2019). Transformations are described in docs/trust.md.

    Ctrl-C ends the measurement; levels that are complete are reported.
    """
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.files import check_reports, write_file
    from edgecnn.json_text import dump_json
    from edgecnn.trust.invariance.document import to_csv, to_document
    from edgecnn.trust.invariance.page import to_html
    from edgecnn.trust.invariance.run import RobustnessConfig, measure_robustness
    from edgecnn.trust.invariance.text import to_table

    config = RobustnessConfig(
        files=files,
        data=DatasetSelection(data, labels=data_labels, strict=strict, **selection),
        transformations=words or ("all",),
        baseline=baseline,
        seed=seed,
        options=options,
        **model,
    )
    read = files if baseline is None else (*files, baseline)
    check_reports([json_path, csv_path, html_path], [part for path in read for part in model_files(path)])
    if html_path is not None:
        from edgecnn.benchmarks.report.template import load_jinja

        load_jinja()
    with interruptible("the measurement was interrupted before one level was complete") as line:
        found, dataset = measure_robustness(config, report=line.above, progress=line)
        if html_path is not None:
            line("drawing the page")
            write_file(html_path, to_html(found, dataset))
    click.echo(to_table(found))
    if json_path is not None:
        write_file(json_path, dump_json(to_document(found), indent=1))
    if csv_path is not None:
        write_file(csv_path, to_csv(found))
    if not found.complete:
        sys.exit(INTERRUPTED)
