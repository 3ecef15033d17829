"""Plots training curves, confusion matrices and scores by class with matplotlib; needs no display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.errors import MissingExtraError
from edgecnn.files import atomic_path
from edgecnn.metrics.score import TITLES
from edgecnn.tasks import find
from edgecnn.types import Array, Float32, Int64

BLUE, ORANGE, GRAY = "#2f6db3", "#d9782d", "#8a8f98"
Panel = tuple[str, Int64]


def blank(width: float, height: float) -> Any:
    """An empty matplotlib figure, size in inches, that needs no display; raises ``MissingExtraError`` without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    # not pyplot: it would choose a window system and keep every figure in memory
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: Path) -> None:
    """Write a figure; raises ``InputError`` where the file can't be written."""
    with atomic_path(path) as draft:
        figure.savefig(draft)


def curves(name: str, history: Sequence[Mapping[str, float]], task: str, path: Path) -> None:
    """Loss and, where there are validation images, score by epoch."""
    figure = blank(8, 4)
    axes = figure.add_subplot()
    epochs = [row["epoch"] for row in history]
    axes.plot(epochs, [row["loss"] for row in history], color=BLUE, marker=".", label="training loss")
    axes.set(title=f"{name}: training", xlabel="epoch", ylabel="training loss")
    axes.grid(alpha=0.3)
    axes.spines[["top"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    handles = axes.get_lines()
    scored = [(row["epoch"], row["score"]) for row in history if "score" in row]
    if scored:
        title = TITLES[find(task).metric]
        right = axes.twinx()
        right.plot(*zip(*scored, strict=True), color=ORANGE, marker=".", label=f"{title}, images not trained on")
        right.set_ylabel(title)
        right.spines[["top"]].set_visible(False)
        handles = [*handles, *right.get_lines()]
    axes.legend(handles=handles, loc="center right")
    save(figure, path)


def bars(title: str, values: Mapping[str, float], path: Path) -> None:
    """A horizontal bar for each class."""
    figure = blank(7, 0.9 + 0.42 * len(values))
    axes = figure.add_subplot()
    drawn = axes.barh(list(values), list(values.values()), color=BLUE)
    axes.bar_label(drawn, fmt="%.3f", padding=3)
    axes.set(title=title, xlim=(0, 1.08))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def scatter(title: str, label: str, pairs: Float32, path: Path) -> None:
    """A point for each image: true and predicted value, (n, 2); on the line they are equal."""
    figure = blank(6, 6)
    axes = figure.add_subplot()
    low, high = float(pairs.min()), float(pairs.max())
    axes.plot([low, high], [low, high], color=GRAY, linewidth=1, label="predicted = true")
    axes.scatter(*pairs.T, s=14, color=BLUE, alpha=0.6, linewidths=0, label=f"{len(pairs):,} images")
    axes.set(title=title, xlabel=f"true {label}", ylabel=f"predicted {label}", aspect="equal")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left")
    save(figure, path)


def confusion(panels: Sequence[Panel], labels: Sequence[str], path: Path) -> None:
    """Confusion matrices beside one another, each with a title, cells in percent of the true class."""
    side = max(4.6, 1.6 + 0.56 * len(labels))
    figure = blank(side * len(panels) + 0.6, side + 0.5)
    for axes, (title, counts) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        _matrix(axes, title, counts, labels)
    save(figure, path)


def _matrix(axes: Any, title: str, counts: Int64, labels: Sequence[str]) -> None:
    share = shares(counts) * 100
    axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set(title=title, xlabel="predicted", ylabel="true (cells: % of the true class)")
    # numbers would overlap
    if len(labels) > 30:
        return
    for row, column in np.ndindex(share.shape):
        value = share[row, column]
        if value >= 0.05:
            text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if value > 55 else "#20242a")


def shares(counts: Int64) -> Array:
    """Counts (C, C) normalized by row; a class without images gives zeros."""
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))


def differences(title: str, labels: Sequence[str], change: Array, path: Path) -> None:
    """Bars of the difference in recall of each class between two models, in percentage points.

    ``change`` (pairs, classes) has a row for each pair of models: bars show the mean, a black line the range.
    """
    figure = blank(7.5, 1.2 + 0.42 * len(labels))
    axes = figure.add_subplot()
    points = change.mean(0) * 100
    axes.barh(list(labels), points, color=[BLUE if value >= 0 else ORANGE for value in points])
    low, high = change.min(0) * 100, change.max(0) * 100
    if len(change) > 1:
        axes.hlines(range(len(labels)), low, high, color="#20242a", linewidth=1.2)
    for row, value in enumerate(points):
        end, side = (max(high[row], 0), "left") if value >= 0 else (min(low[row], 0), "right")
        text = f" {value:+.1f} "
        axes.text(end, row, text, ha=side, va="center")
    axes.axvline(0, color=GRAY, linewidth=0.8)
    axes.margins(x=0.15)
    axes.set(title=title, xlabel="recall, difference in points")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)
