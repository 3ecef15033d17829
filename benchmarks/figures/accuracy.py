"""Accuracy lost by export: the checkpoint and every exported file on the same images, differences in percentage points.

``python -m edgecnn.benchmarks.figures.accuracy cups --artifacts DIR --data URI --json FILE``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, ProgressLine
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.card import ModelCard
from edgecnn.columns import align_columns
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.metrics import Score
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.card_inference import CardOptions

TARGET = {"classify": 0.5, "detect": 1.0, "regress": 1.0}  # percentage points that int8 may lose


@click.command()
@click.argument("model")
@click.option("--artifacts", "folder", type=click.Path(path_type=Path), required=True, help="Folder of exported files.")
@click.option("--data", metavar="URI", required=True, help="Dataset to measure with.")
@click.option("--split", help="Split of the dataset.  [default: test, else val, else all]")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: the engine's choice]")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(
    model: str, folder: Path, data: str, split: str | None, limit: int | None, threads: int | None, json_path: Path | None
) -> None:
    """Compare the files in a folder with the checkpoint MODEL that they were exported from."""
    files = [figure.checkpoint(model), *figure.artifacts(folder)]
    if json_path is not None:
        check_writable(json_path)
    selection = DatasetSelection(data, split, limit)
    with ProgressLine() as status:
        rows = _measure(files, selection, threads, status)
    click.echo(table(rows))
    click.echo(f"\n{conclusion(rows)}")
    if json_path is not None:
        figure.record(
            json_path, "accuracy", {"target_int8_points": TARGET[rows[0]["task"]], "data": str(selection), "rows": rows}
        )


def _measure(files: list[Path], selection: DatasetSelection, threads: int | None, progress: Progress) -> list[dict[str, Any]]:
    """A row for each file, measured in its own process; points lost are relative to the first file."""
    rows: list[dict[str, Any]] = []
    checkpoint: ModelCard | None = None
    for path in files:
        progress(f"accuracy of {path.name}")
        with ModelProcess(path, LoadOptions(threads=threads)) as process:
            checkpoint = checkpoint or process.load_report.card
            figure.check_weights(path.name, checkpoint, process.load_report.card)
            own = _row(path, process, selection)
        rows.append({**own, "points_lost": ((rows[0] if rows else own)["accuracy"] - own["accuracy"]) * 100})
    return rows


def _row(path: Path, process: ModelProcess, selection: DatasetSelection) -> dict[str, Any]:
    """Score of one file."""
    card = process.load_report.card
    selection.check(selection.open(task=card.task), card)
    score: Score | None = process.ask("accuracy", data=selection, options=CardOptions())
    if score is None:
        raise InputError(f"{selection} has neither labels nor boxes", "name a labelled dataset")
    return {
        "name": path.name,
        "format": file_format(path),
        "precision": card.precision,
        "task": card.task,
        "sha256": sha256_of(path),
        "metric": score.primary_title,
        "images": score.n,
        "accuracy": score.primary,
        "values": dict(score.values),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["file", "precision", "images", rows[0]["metric"], "points lost"]]
    for own in rows:
        cells.append(
            [own["name"], own["precision"], str(own["images"]), f"{own['accuracy'] * 100:.2f} %", f"{own['points_lost']:+.2f}"]
        )
    return align_columns(cells, left=2)


def conclusion(rows: list[dict[str, Any]]) -> str:
    """Whether every int8 file reaches the target, in one line."""
    lost = {own["format"]: own["points_lost"] for own in rows if own["precision"] == "int8"}
    if not lost:
        return "no int8 file in the folder"
    most = TARGET[rows[0]["task"]]
    reached = "reached" if all(points <= most for points in lost.values()) else "not reached"
    return (
        f"int8 within {most:g} points of fp32: {reached} ({', '.join(f'{name} {points:+.2f}' for name, points in lost.items())})"
    )


if __name__ == "__main__":
    figure.run(command)
