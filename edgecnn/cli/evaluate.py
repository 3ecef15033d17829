"""`edgecnn evaluate`: the accuracy of a model file on a dataset."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile, model_options

if TYPE_CHECKING:
    from edgecnn.data import Dataset
    from edgecnn.metrics import ClassMap, Score
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.runtime.model.predictor import Predictor

# A detector is measured over all its scores: a threshold as in daily use would cut the curve that mAP is the area of.
SCORE_THRESHOLD = 0.001
MAX_DETECTIONS = 100


@click.command()
@click.argument("file", type=ModelFile())
@click.option("--data", required=True, metavar="URI", help="Dataset: DIR[?KNOBS], COCO .json file or scene:cups?...")
@click.option("--split", help="Part of the dataset.  [default: test, else val, else all]")
@click.option(
    "--data-labels", metavar="NAMES", help="Names of the dataset's classes (a,b,c or a file), where its files lack them."
)
@click.option("--limit", type=click.IntRange(1), help="At most so many images.")
@click.option("--every", type=click.IntRange(1), default=1, help="Only each N-th image, by file name.")
@click.option("--map", "renames", metavar="A=B,...", help="Other names for classes; those with the same name become one.")
@click.option("--merge", metavar="NAME", help="All classes of the dataset as one of this name.")
@click.option("--strict", is_flag=True, help="Stop where anything is wrong with the dataset.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers to this file.")
@model_options
def command(
    file: Path,
    data: str,
    split: str | None,
    data_labels: str | None,
    limit: int | None,
    every: int,
    renames: str | None,
    merge: str | None,
    strict: bool,
    json_file: Path | None,
    device: Any,
    threads: int | None,
    options: CardOptions,
) -> None:
    """Measure the accuracy of FILE on a dataset: top-1 and confusion of a classifier, mAP of a detector, R² of values.

    Classes are matched by name. Boxes of every score count, so --score-threshold is 0.001 and --max-detections 100 if not given.

    KNOBS after the path of a dataset say which part of it and which classes, such as "DIR?part=held-out&hold=0.2&merge=face": split,
    labels, group (a regular expression), part (learn, held-out), hold, seed, rename (a:b,c:d), merge and classes (a,b,c).
    """
    from edgecnn.data.naming import name_both
    from edgecnn.files import atomic_write
    from edgecnn.runtime.backends import file_format
    from edgecnn.runtime.model.predictor import Predictor

    file_format(file)  # a wrong path is said before a large dataset is read
    whole = _open(data, split, data_labels, limit * every if limit else None).take(every, limit)
    _show_problems(whole, strict)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(atomic_write(json_file)) if json_file else None
        predictor = stack.enter_context(Predictor(file, device, threads=threads, options=_for_measuring(options)))
        dataset, classes = name_both(whole, predictor.card.labels, renames, merge)
        score = _measure(predictor, dataset, classes, strict)
        record = _record(file, device, predictor, whole, score)
        _show(record, score)
        if stream is not None:
            json.dump(record, stream, indent=1)


def _open(data: str, split: str | None, labels: str | None, limit: int | None) -> Dataset:
    """The dataset; without ``split`` the part that was held out of training, where there is one."""
    from edgecnn.data import held_out_split, open_dataset

    return open_dataset(data, split=split or held_out_split(data), labels=labels, limit=limit)


def _show_problems(dataset: Dataset, strict: bool) -> None:
    from edgecnn.data.problems import check_strict, problem_lines

    if strict:
        check_strict(dataset)
    for line in problem_lines(dataset):
        click.echo(line, err=True)


def _for_measuring(options: CardOptions) -> CardOptions:
    return dataclasses.replace(
        options,
        score_threshold=SCORE_THRESHOLD if options.score_threshold is None else options.score_threshold,
        max_detections=MAX_DETECTIONS if options.max_detections is None else options.max_detections,
    )


def _measure(predictor: Predictor, dataset: Dataset, classes: ClassMap, strict: bool) -> Score:
    from edgecnn.metrics import evaluate

    with _progress(len(dataset)) as progress:
        return evaluate(predictor, dataset, classes=classes, progress=progress, strict=strict)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=total, label="evaluating", file=sys.stderr) as bar:
        yield lambda done, total: bar.update(1)


def _record(file: Path, device: str, predictor: Predictor, dataset: Dataset, score: Score) -> dict[str, Any]:
    from edgecnn.runtime.backends import file_format

    problems = [{"where": problem.where, "what": problem.what} for problem in dataset.problems]
    card = predictor.card
    return {
        "file": str(file),
        "format": file_format(file),
        "precision": card.precision,
        "device": device,
        "decode": {"name": card.decode.name, "options": dict(card.decode.options)},
        "dataset": {"name": dataset.name, "split": dataset.split, "images": len(dataset), "problems": problems},
        "score": score.to_dict(),
    }


def _show(record: dict[str, Any], score: Score) -> None:
    from edgecnn.metrics.report import report_lines

    dataset = record["dataset"]
    part = f", split {dataset['split']}" if dataset["split"] else ""
    what = f"{_count(score.n, 'image')}, {_count(len(score.labels), 'class')}"
    precision = "" if record["precision"] == "unknown" else f", {record['precision']}"
    click.echo(f"{Path(record['file']).name} ({record['format']}{precision}) on {dataset['name']}{part}: {what}\n")
    click.echo("\n".join(report_lines(score)))


def _count(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"
