"""`edgecnn evaluate`: the accuracy of a model file on a dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile, dataset_options, model_options
from edgecnn.thresholds import EVALUATION_SCORE, MAX_DETECTIONS

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions


HELP = f"""Measure the accuracy of FILE on a dataset: top-1 and confusion of a classifier, mAP of a detector, R² of values.

Classes are matched by name. Boxes of every score count: --score-threshold is {EVALUATION_SCORE} and --max-detections
{MAX_DETECTIONS} if not given.

PARAMETERS after the path of a dataset select a part and classes of it, such as "DIR?split=val&val_fraction=0.2&merge=face": split,
labels, group (a regular expression), val_fraction, seed, rename (a:b,c:d), merge and classes (a,b,c).
"""


@click.command(help=HELP)
@click.argument("file", type=ModelFile())
@click.option("--data", required=True, metavar="URI", help="Dataset: DIR[?PARAMETERS], COCO .json file or scene:cups?...")
@click.option("--data-labels", metavar="NAMES", help="Class names of a dataset whose files have none: a,b,c or a file.")
@click.option("--every", type=click.IntRange(1), default=1, help="Use only every N-th image, by file name.")
@click.option("--strict", is_flag=True, help="Fail on any problem in the dataset.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
@dataset_options
@model_options
def command(
    file: Path,
    data: str,
    data_labels: str | None,
    every: int,
    selection: dict[str, Any],
    strict: bool,
    json_path: Path | None,
    device: Any,
    threads: int | None,
    options: CardOptions,
) -> None:
    """``edgecnn evaluate``."""
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, evaluate_file
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.benchmarks.report.evaluation_table import to_table
    from edgecnn.files import check_writable, write_file

    chosen = DatasetSelection(data, labels=data_labels, every=every, **selection)
    config = EvaluationConfig(file=file, data=chosen, device=device, threads=threads, options=options, strict=strict)
    if json_path is not None:
        check_writable(json_path)
    with ProgressLine() as line:
        evaluation = evaluate_file(
            config,
            report=lambda text: click.echo(text, err=True),
            progress=lambda done, total: line(f"image {done} of {total}"),
        )
    click.echo(to_table(evaluation))
    if json_path is not None:
        write_file(json_path, json.dumps(evaluation.to_document(), indent=1))
