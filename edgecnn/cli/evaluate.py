"""`edgecnn evaluate`: the accuracy of a model file on a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.options import ALLOW_OVERLAP, ModelFile, dataset_options, model_options
from edgecnn.cli.ray_options import ray_options, take_cluster
from edgecnn.thresholds import EVALUATION_SCORE, MAX_DETECTIONS

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions


HELP = f"""Measure the accuracy of the model FILE on a dataset, or what changed from one FILE to another.

\b
edgecnn evaluate cups --data "scene:cups?seed=5&count=200"
edgecnn evaluate model-int8.onnx --data fashion-mnist --json scores.json --html scores.html
edgecnn evaluate yolox.onnx --data instances_val.json --ray head:6379
edgecnn evaluate yolox.onnx --labels coco.txt --data instances_val.json --map car=vehicle,bus=vehicle
edgecnn evaluate yolox-fp32.onnx yolox-int8.onnx --data instances_val.json --html changed.html
edgecnn evaluate yolox-fp32.onnx yolox-int8.tflite --data FOLDER_OF_IMAGES          # without labels: against each other
edgecnn evaluate model-int8.onnx --data DIR --group-by brightness
edgecnn evaluate model-fp32.onnx model-int8.onnx --data DIR --group-by camera        # which group pays for int8

Classifiers are measured by top-1, precision, recall, F1, calibration and confusion; detectors by mAP, AP by size, and kinds of
errors with what each costs in AP50; regression by R² and mean absolute error. Figures have 95 % intervals by bootstrap over images.
Classes are matched by name.
All boxes count for mAP: --score-threshold is {EVALUATION_SCORE} and --max-detections is {MAX_DETECTIONS} if not given.

PARAMETERS of a dataset address select a split and classes, for example "DIR?split=val&val_fraction=0.2&merge=face": split,
labels, group (a regular expression), val_fraction, seed, rename and ignore (a:b,c:d), merge and classes (a,b,c); format says how
files are read that can be read in several ways.
"""


@click.command(help=HELP)
@click.argument("files", metavar="FILE [FILE]", nargs=-1, required=True, type=ModelFile())
@dataset_options(
    (
        ("--data",),
        {"required": True, "metavar": "ADDRESS", "help": "Dataset: DIR[?PARAMETERS], COCO .json file or scene:cups?..."},
    ),
    (("--data-labels",), {"metavar": "NAMES", "help": "Class names of a dataset whose files have none: a,b,c or a file."}),
    (
        ("--every",),
        {"type": click.IntRange(1), "default": 1, "metavar": "N", "help": "Use every N-th image, sorted by file name."},
    ),
    (("--strict",), {"is_flag": True, "help": "Stop at any problem in the dataset."}),
    ALLOW_OVERLAP,
    (
        ("--group-by",),
        {
            "metavar": "KEY",
            "help": "Compare groups, of one file or between two: class, folder[:LEVEL], size[:BINS], brightness[:BINS], position, "
            "colour, a COLUMN of a CSV file beside the data, or FILE.csv:COLUMN.",
        },
    ),
)
@model_options
@optgroup.group("Output")
@optgroup.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the resamples that the intervals come from."
)
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
@optgroup.option(
    "--html", "html_path", type=click.Path(path_type=Path), help="Write a page: accuracy in detail, groups, or what changed."
)
@optgroup.option(
    "--parts",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep finished parts in DIR while one file is evaluated: after an interrupt the same command goes on from them.",
)
@ray_options
def command(
    files: tuple[Path, ...],
    data: str,
    data_labels: str | None,
    every: int,
    selection: dict[str, Any],
    strict: bool,
    group_by: str | None,
    seed: int,
    json_path: Path | None,
    html_path: Path | None,
    parts: Path | None,
    device: Any,
    engine: str | None,
    threads: int | None,
    require_signature: Path | None,
    options: CardOptions,
    **cluster_options: Any,
) -> None:
    """``edgecnn evaluate``."""
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
    from edgecnn.cli.evaluate_groups import evaluate_by_group
    from edgecnn.cli.evaluate_one import evaluate_one
    from edgecnn.cli.evaluate_pair import evaluate_two

    cluster = take_cluster(cluster_options)
    _check_combination(len(files), {"--group-by": group_by, "--ray": cluster, "--parts": parts})
    chosen = DatasetSelection(data, labels=data_labels, every=every, strict=strict, **selection)
    loading: dict[str, Any] = {
        "data": chosen,
        "device": device,
        "engine": engine,
        "threads": threads,
        "options": options,
        "require_signature": require_signature,
    }
    if len(files) == 2:
        evaluate_two((files[0], files[1]), group_by, json_path, html_path, seed=seed, **loading)
        return
    config = EvaluationConfig(file=files[0], **loading)
    if group_by is not None:
        evaluate_by_group(config, group_by, seed, json_path, html_path)
    else:
        evaluate_one(config, cluster, parts, seed, json_path, html_path)


def _check_combination(files: int, given: Mapping[str, object]) -> None:
    """Raise ``UsageError`` where options are ``given`` that do not go together."""
    named = [name for name, value in given.items() if value is not None]
    if files > 2:
        raise click.UsageError(f"{files} files are named; evaluate takes one, or two to compare")
    alone = [name for name in named if name != "--group-by"]
    if files == 2 and alone:
        raise click.UsageError(f"{alone[0]} takes one file; leave it out to compare two")
    if len(named) > 1:
        raise click.UsageError(f"{named[0]} and {named[1]} do not go together; leave one of them out")
