"""Compares two classifiers: confusion matrices, and the classes that the second one separates better, over several seeds.

`python -m edgecnn.benchmarks.figures.compare_networks A.safetensors,A2.safetensors B.safetensors,B2.safetensors --data DIR`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from edgecnn.data import Dataset, dataset_splits, open_dataset
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.metrics import Score
from edgecnn.models import load_checkpoint
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train import plots
from edgecnn.train.predict import EagerPredictor, one_thread
from edgecnn.types import Array, Int64

PAIRS = 5


def confusion_of(checkpoint: str, dataset: Dataset) -> tuple[str, Score]:
    """Name and score of a classifier's checkpoint; raises ``InputError`` for a detector or for other classes."""
    model, card = load_checkpoint(checkpoint)
    if card.task != "classify" or card.labels != dataset.labels:
        found = f"a model to {card.task}" if card.task != "classify" else f"a classifier of {', '.join(card.labels)}"
        raise InputError(f"{checkpoint} is {found}, not a classifier of {', '.join(dataset.labels)}", "name another checkpoint")
    with one_thread():
        return card.name, evaluate(EagerPredictor(model, card), dataset, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierRuns:
    """One model, trained once or with several seeds: accuracies and, for each training, the recall of each class (n, C)."""

    name: str
    top1: Array
    recall: Array
    confusion: Int64

    @classmethod
    def of(cls, checkpoints: Sequence[str], dataset: Dataset) -> ClassifierRuns:
        """Measure all checkpoints; the name is that of the first, the confusion matrix is the sum over all."""
        found = [confusion_of(checkpoint, dataset) for checkpoint in checkpoints]
        matrices = [matrix(score) for _, score in found]
        recall = np.stack([plots.shares(counts).diagonal() for counts in matrices])
        return cls(found[0][0], np.array([score.primary for _, score in found]), recall, np.sum(matrices, 0))

    @property
    def accuracy(self) -> str:
        """Top-1, with the standard deviation over the seeds where there are several."""
        spread = f" ± {self.top1.std(ddof=1):.2%}" if len(self.top1) > 1 else ""
        return f"{self.top1.mean():.2%}{spread}"


def compare(first: Sequence[str], second: Sequence[str], dataset: Dataset, out: Path) -> list[str]:
    """Write the matrices to ``out`` and the differences to ``NAME-recall.png`` in its folder; returns the lines of a report.

    Raises ``InputError`` where the two sides have different numbers of checkpoints.
    """
    if len(first) != len(second):
        raise InputError(f"the sides have {len(first)} and {len(second)} checkpoints", "name one for each seed on both sides")
    a, b = (ClassifierRuns.of(checkpoints, dataset) for checkpoints in (first, second))
    plots.confusion([(f"{side.name}: top-1 {side.accuracy}", side.confusion) for side in (a, b)], dataset.labels, out)
    seeds = f", {len(first)} seeds" if len(first) > 1 else ""
    title = f"Recall by class: {b.name} against {a.name}{seeds}"
    plots.differences(title, dataset.labels, b.recall - a.recall, out.with_name(f"{out.stem}-recall{out.suffix}"))
    return [
        f"{len(dataset)} images{seeds}: top-1 {a.accuracy} {a.name}, {b.accuracy} {b.name}",
        *_rows(a, b, dataset.labels),
        "",
        f"Pairs that {b.name} separates better (mistakes {a.name} -> {b.name}):",
        *(f"  {pair:<28}{old:>5} -> {new}" for pair, old, new in pairs(a.confusion, b.confusion, dataset.labels)[:PAIRS]),
    ]


def matrix(score: Score) -> Int64:
    """The confusion matrix of a classifier's score."""
    assert score.confusion is not None
    return score.confusion


def _rows(first: ClassifierRuns, second: ClassifierRuns, labels: tuple[str, ...]) -> list[str]:
    """Recall of each class in two columns, largest gain first, with the range of the gain over the seeds."""
    a, b = (max(len(side.name), 6) + 2 for side in (first, second))
    change = (second.recall - first.recall) * 100
    rows = []
    for i in np.argsort(-change.mean(0), kind="stable").tolist():
        spread = f"  ({change[:, i].min():+.1f} to {change[:, i].max():+.1f})" if len(change) > 1 else ""
        means = f"{first.recall[:, i].mean():>{a}.1%}{second.recall[:, i].mean():>{b}.1%}"
        rows.append(f"{labels[i]:<14}{means}  {change[:, i].mean():+.1f}{spread}")
    return [f"{'class':<14}{first.name:>{a}}{second.name:>{b}}  difference of recall in points", *rows]


def pairs(first: Int64, second: Int64, labels: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """Pairs of classes with their mistakes in both directions before and after, sorted by the reduction."""
    rows = []
    for i in range(len(labels)):
        for j in range(i):
            old, new = (int(counts[i, j] + counts[j, i]) for counts in (first, second))
            rows.append((f"{labels[j]} / {labels[i]}", old, new))
    return sorted(rows, key=lambda row: row[2] - row[1])


def open_test(data: str, limit: int | None) -> Dataset:
    """The test split of a dataset, or all images where it has no splits."""
    return open_dataset(data, split="test" if "test" in dataset_splits(data) else None, limit=limit)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--data", required=True, metavar="DIR", help="Dataset; its test split is used.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("compare.png"), show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Use only the first images.")
def command(first: str, second: str, data: str, out: Path, limit: int | None) -> None:
    """Compare two classifiers; FIRST and SECOND are checkpoints, one per seed, separated by commas."""
    try:
        click.echo("\n".join(compare(first.split(","), second.split(","), open_test(data, limit), out)))
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    command()
