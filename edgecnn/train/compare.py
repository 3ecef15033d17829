"""Two classifiers side by side: confusion matrices, and which classes the second one tells apart better.

`python -m edgecnn.train.compare A.safetensors B.safetensors --data DIR --out compare.png`
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from edgecnn.data import Dataset, dataset_splits, open_dataset
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.metrics import Score, evaluate
from edgecnn.models import load_checkpoint
from edgecnn.train import plots
from edgecnn.train.predict import Eager, one_thread
from edgecnn.types import Array, Int64

PAIRS = 5


def confusion_of(checkpoint: str, dataset: Dataset) -> tuple[str, Score]:
    """Name and score of a classifier's checkpoint; raises ``InputError`` for a detector or for other classes."""
    model, card = load_checkpoint(checkpoint)
    if card.task != "classify" or card.labels != dataset.labels:
        found = card.task if card.task != "classify" else ", ".join(card.labels)
        raise InputError(f"a classifier for {', '.join(dataset.labels)}", f"{checkpoint}: {found}", "name another checkpoint")
    with one_thread():
        return card.name, evaluate(Eager(model, card), dataset, strict=True)


def compare(checkpoints: tuple[str, str], dataset: Dataset, out: Path) -> list[str]:
    """Write the matrices to ``out`` and the differences beside it (``NAME-recall.png``); gives the lines of a report."""
    (name_a, a), (name_b, b) = (confusion_of(checkpoint, dataset) for checkpoint in checkpoints)
    first, second = matrix(a), matrix(b)
    panels = [(f"{name}: top-1 {score.primary:.2%}", matrix(score)) for name, score in ((name_a, a), (name_b, b))]
    plots.confusion(panels, dataset.labels, out)
    before, after = (plots.shares(counts).diagonal() for counts in (first, second))
    title = f"Recall by class: {name_b} against {name_a}"
    plots.differences(title, dataset.labels, after - before, out.with_name(f"{out.stem}-recall{out.suffix}"))
    return [
        f"{len(dataset)} images: top-1 {a.primary:.2%} {name_a}, {b.primary:.2%} {name_b}",
        *_rows((name_a, name_b), dataset.labels, before, after),
        "",
        f"Pairs that {name_b} separates better (mistakes {name_a} -> {name_b}):",
        *(f"  {pair:<28}{old:>5} -> {new}" for pair, old, new in pairs(first, second, dataset.labels)[:PAIRS]),
    ]


def matrix(score: Score) -> Int64:
    """The confusion matrix of a classifier's score."""
    assert score.confusion is not None
    return score.confusion


def _rows(names: tuple[str, str], labels: tuple[str, ...], before: Array, after: Array) -> list[str]:
    """Recall of each class in two columns, the largest gain first."""
    a, b = (max(len(name), 6) + 2 for name in names)
    order = (int(index) for index in np.argsort(before - after, kind="stable"))
    rows = [f"{labels[i]:<14}{before[i]:>{a}.1%}{after[i]:>{b}.1%}  {(after[i] - before[i]) * 100:+.1f}" for i in order]
    return [f"{'class':<14}{names[0]:>{a}}{names[1]:>{b}}  difference of recall in points", *rows]


def pairs(first: Int64, second: Int64, labels: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """Pairs of classes with their mistakes in both directions before and after, by how many fewer there are."""
    rows = []
    for i in range(len(labels)):
        for j in range(i):
            old, new = (int(counts[i, j] + counts[j, i]) for counts in (first, second))
            rows.append((f"{labels[j]} / {labels[i]}", old, new))
    return sorted(rows, key=lambda row: row[2] - row[1])


def open_test(data: str, limit: int | None) -> Dataset:
    """The test images of a dataset, or all where it is not divided."""
    return open_dataset(data, split="test" if "test" in dataset_splits(data) else None, limit=limit)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--data", required=True, metavar="DIR", help="Dataset; its test images are used.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("compare.png"), show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Use only the first images.")
def command(first: str, second: str, data: str, out: Path, limit: int | None) -> None:
    """Show the confusion of two classifiers beside one another."""
    try:
        click.echo("\n".join(compare((first, second), open_test(data, limit), out)))
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    command()
