"""Accuracy lost by export: the checkpoint and every exported file on the same images, differences in percentage points.

``python -m edgecnn.benchmarks.figures.accuracy cups --artifacts DIR --data URI --json FILE``

``python -m edgecnn.benchmarks.figures.accuracy --shipped --data DIR --json int8-shipped.json`` does so for all shipped models that have
an int8 file, each on the datasets that its card was scored on, which are looked for in the folder DIR; scenes are rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from edgecnn import shipped
from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, ProgressLine
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.card import ModelCard
from edgecnn.columns import align_columns
from edgecnn.data.address import parse_address
from edgecnn.data.problems import short
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.metrics import Score
from edgecnn.metrics.score import points
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.card_inference import CardOptions

# percentage points that int8 may lose, by task; there is none for decibels
TARGET = {"classify": 0.5, "signal": 0.5, "embed": 0.5, "detect": 1.0, "segment": 1.0, "pose": 1.0, "regress": 1.0}


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--artifacts", "folder", type=click.Path(path_type=Path), help="Folder of exported files of one MODEL.")
@click.option("--shipped", "is_shipped", is_flag=True, help="Measure the int8 files of shipped models: of MODELs, or of all.")
@click.option("--data", metavar="URI", help="Dataset to measure with; with --shipped the folder that holds the datasets.")
@click.option("--split", help="Split of the dataset.  [default: test, else val, else all]")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: the engine's choice]")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(
    models: tuple[str, ...],
    folder: Path | None,
    is_shipped: bool,
    data: str | None,
    split: str | None,
    limit: int | None,
    threads: int | None,
    json_path: Path | None,
) -> None:
    """Compare exported files with the checkpoint MODEL that they were exported from."""
    if json_path is not None:
        check_writable(json_path)
    if is_shipped:
        if folder is not None or split is not None:
            raise click.UsageError("--shipped does not go with --artifacts and --split: it measures the files of the package")
        content = _shipped_files(models, None if data is None else Path(data), limit, threads)
    else:
        if len(models) != 1 or folder is None or data is None:
            raise click.UsageError("name one MODEL with --artifacts and --data, or give --shipped")
        content = _files_of(models[0], folder, DatasetSelection(data, split, limit), threads)
    if json_path is not None:
        figure.record(json_path, "accuracy", content)


def _files_of(model: str, folder: Path, selection: DatasetSelection, threads: int | None) -> dict[str, Any]:
    files = [figure.checkpoint(model), *figure.artifacts(folder)]
    with ProgressLine() as status:
        rows = _measure(files, selection, threads, status)
    click.echo(table(rows))
    click.echo(f"\n{conclusion(rows)}")
    return {"target_int8_points": TARGET.get(rows[0]["task"]), "data": str(selection), "rows": rows}


def _shipped_files(models: Sequence[str], data: Path | None, limit: int | None, threads: int | None) -> dict[str, Any]:
    """Measure, print and give the rows of the shipped ``models``, of all without any, and what could not be measured."""
    if unknown := [name for name in models if name not in shipped.names()]:
        raise InputError(f"{unknown[0]} is not a shipped model", f"name one of {', '.join(shipped.names())}")
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    with ProgressLine() as status:
        for name in models or shipped.names():
            files = [shipped.checkpoint(name), shipped.artifact(name)]
            if files[0] == files[1]:
                left_out.append(f"{name} has no int8 file")
                continue
            for address in scored_on(shipped.read(name)[0]):
                try:
                    selection = DatasetSelection(located(address, data), limit=limit)
                    own = _measure(files, selection, threads, status)
                except InputError as error:
                    left_out.append(f"{name} on {address}: {error}")
                else:
                    rows += [
                        {"model": name, "data": str(selection), "target_points": TARGET.get(row["task"]), **row} for row in own
                    ]
    if not rows:
        raise InputError(f"nothing could be measured: {'; '.join(left_out)}", "name the folder of the datasets with --data")
    click.echo(shipped_table(rows))
    click.echo("\n" + "\n".join([shipped_conclusion(rows), *(f"not measured: {reason}" for reason in left_out)]))
    if limit is not None:
        click.echo(f"at most {limit} images of each dataset: not comparable")
    return {"limit": limit, "rows": rows, "left_out": left_out}


def scored_on(card: ModelCard) -> Iterator[str]:
    """The addresses that a shipped model was scored on, as its card records them; the first one is that of its score."""
    yield card.training["scores"]["data"]
    yield from card.training.get("notes", {}).get("measured", {})


def located(address: str, data: Path | None) -> str:
    """The address of a card, which names files without their folders, with the place of the dataset in ``data``, or in one of its folders.

    Raises ``InputError`` where it is not there.
    """
    parsed = parse_address(address)
    if parsed.is_scene:
        return address
    if data is None:
        raise InputError(f"{parsed.place} is a dataset", "name the folder that holds it with --data")
    found = next((path for path in (data / parsed.place, *sorted(data.glob(f"*/{parsed.place}"))) if path.exists()), None)
    if found is None:
        raise InputError(f"{parsed.place} is not in {data.name} nor in one of its folders", "name another folder with --data")
    return f"{found}{address[len(parsed.place) :]}"


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
        rows.append({**own, "points_lost": _lost(rows[0] if rows else own, own)})
    return rows


def _lost(reference: dict[str, Any], own: dict[str, Any]) -> float:
    """What a file loses against ``reference``: percentage points, or units of a metric that is no fraction (dB)."""
    return points(own["metric"], reference["accuracy"]) - points(own["metric"], own["accuracy"])


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
        "notes": list(score.notes),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["file", "precision", "images", rows[0]["metric"], "points lost"]]
    for own in rows:
        cells.append([own["name"], own["precision"], str(own["images"]), _shown(own), f"{own['points_lost']:+.2f}"])
    return align_columns(cells, left=2)


def shipped_table(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each int8 file and dataset of shipped models, for a terminal."""
    cells = [["model", "data", "metric", "images", "checkpoint", "int8", "lost", "target"]]
    for whole, own in zip(rows[::2], rows[1::2], strict=True):
        target = "" if own["target_points"] is None else f"{own['target_points']:g}"
        numbers = [str(own["images"]), _shown(whole), _shown(own), f"{own['points_lost']:+.2f}", target]
        cells.append([own["model"], short(own["data"]), own["metric"], *numbers])
    return align_columns(cells, left=3)


def _shown(own: dict[str, Any]) -> str:
    value = points(own["metric"], own["accuracy"])
    return f"{value:.2f}" if value == own["accuracy"] else f"{value:.2f} %"


def conclusion(rows: list[dict[str, Any]]) -> str:
    """Whether every int8 file reaches the target, in one line."""
    lost = {own["format"]: own["points_lost"] for own in rows if own["precision"] == "int8"}
    if not lost:
        return "no int8 file in the folder"
    most = TARGET.get(rows[0]["task"])
    shown = ", ".join(f"{name} {value:+.2f}" for name, value in lost.items())
    if most is None:
        return f"lost by int8: {shown}; there is no target for this metric"
    reached = "reached" if all(value <= most for value in lost.values()) else "not reached"
    return f"int8 within {most:g} points of fp32: {reached} ({shown})"


def shipped_conclusion(rows: Sequence[dict[str, Any]]) -> str:
    """Whether every int8 file with a target reaches it on every dataset, in one line."""
    judged = [own for own in rows if own["precision"] == "int8" and own["target_points"] is not None]
    above = [
        f"{own['model']} {own['points_lost']:+.2f} on {own['data']}"
        for own in judged
        if not own["points_lost"] <= own["target_points"]
    ]
    return f"int8 within the target: {len(judged) - len(above)} of {len(judged)}" + (f", not {'; '.join(above)}" if above else "")


if __name__ == "__main__":
    figure.run(command)
