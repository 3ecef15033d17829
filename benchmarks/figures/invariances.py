"""The curves of the lecture: accuracy by class against rotation, of networks trained with and without it, side by side.

``python -m edgecnn.benchmarks.figures.invariances PLAIN.safetensors ROTATED.safetensors --data DIR --plot PNG --json FILE``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.columns import align_columns
from edgecnn.files import atomic_path, check_writable
from edgecnn.train import plots
from edgecnn.trust.invariance.page import accuracy_of, points
from edgecnn.trust.invariance.result import FileRobustness, LevelResult, Robustness
from edgecnn.trust.invariance.run import RobustnessConfig, measure_robustness
from edgecnn.trust.invariance.text import number_text, with_interval
from edgecnn.trust.invariance.transformation import Transformation


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data", metavar="URI", required=True, help="Dataset to measure with.")
@click.option("--transform", "words", default="rotate=15:345:15", show_default=True, help="One transformation with its levels.")
@click.option("--limit", type=click.IntRange(1), default=2000, show_default=True, help="Number of images.")
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Write the curves as PNG.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(files: tuple[Path, ...], data: str, words: str, limit: int, plot_path: Path | None, json_path: Path | None) -> None:
    """Draw a panel for each of the FILES, with a line for each class."""
    for path in filter(None, (plot_path, json_path)):
        check_writable(path)
    config = RobustnessConfig(files=files, data=DatasetSelection(data, limit=limit), transformations=(words,), threads=1)
    with ProgressLine() as line:
        found, _ = measure_robustness(config, report=line.above, progress=line)
    own = found.transformations[0][0]
    click.echo(_table(found, own))
    if plot_path is not None:
        plots.save(_drawn(found, own), plot_path)
        with_palette(plot_path)
    if json_path is not None:
        figure.record(
            json_path, "invariances", {"data": str(config.data), "transformation": own.name, "files": _rows(found, own, files)}
        )


def _table(found: Robustness, own: Transformation) -> str:
    """The mean over the levels and the lowest value of each file and of each class."""
    cells = [["", *(name for file in found.files for name in (f"{file.model}: mean", "lowest"))]]
    cells.append(["all classes", *(text for file in found.files for text in _ends(file, own, lambda one: one.value))])
    for label in found.labels:
        values = [_ends(file, own, accuracy_of(label)) for file in found.files]
        cells.append([label, *(text for pair in values for text in pair)])
    clean = "\n".join(f"{file.model} on {found.images} images as they are: {with_interval(file.clean)} %" for file in found.files)
    numbers = "\n".join(f"{file.model}: {number_text(file.corruption_error)}" for file in found.files if file.corruption_error)
    return "\n".join(filter(None, (clean, numbers, align_columns(cells, left=1))))


def _ends(file: FileRobustness, own: Transformation, value: Any) -> list[str]:
    curve = file.curve(own.name)
    worst = min(curve, key=value)
    return [f"{100 * sum(map(value, curve)) / len(curve):.1f}", f"{100 * value(worst):.1f} at {own.level_text(worst.level)}"]


def _drawn(found: Robustness, own: Transformation) -> Any:
    """A panel for each file, with common axes and one legend."""
    drawn = plots.blank(1.6 + 4.4 * len(found.files), 4.2)
    panels = drawn.subplots(1, len(found.files), sharey=True, squeeze=False)[0]
    for axes, file in zip(panels, found.files, strict=True):
        curve = points(file, own)
        for index, label in enumerate(found.labels):
            known = [one for one in curve if label in one.per_class]
            style = "--" if index >= 10 else "-"
            axes.plot([one.level for one in known], [100 * one.per_class[label] for one in known], style, lw=1.2, label=label)
        axes.plot([one.level for one in curve], [100 * one.value for one in curve], color="black", lw=2.4, label="all classes")
        axes.set(title=file.model, xlabel=f"{own.title} ({own.unit})", ylim=(0, 101))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if own.unit == "degrees":
            axes.set_xticks(range(0, 361, 45))
    panels[0].set_ylabel(f"{found.title} in %")
    handles, names = panels[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside right center", frameon=False, fontsize=9)
    return drawn


def with_palette(path: Path) -> None:
    """The PNG with few colours: a third of its size, and no difference to the eye."""
    from PIL import Image  # comes with matplotlib

    with Image.open(path) as drawn:
        small = drawn.convert("RGB").quantize(96, dither=Image.Dither.NONE)
    with atomic_path(path) as draft:
        small.save(draft, optimize=True)


def _rows(found: Robustness, own: Transformation, files: tuple[Path, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": file.model,
            "sha256": sha256_of(path),
            "images": found.images,
            "clean": _row(file.clean),
            "levels": [{"level": one.level, **_row(one)} for one in file.curve(own.name)],
        }
        for file, path in zip(found.files, files, strict=True)
    ]


def _row(one: LevelResult) -> dict[str, Any]:
    return {
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "consistency": one.consistency,
        "per_class": dict(one.per_class),
    }


if __name__ == "__main__":
    figure.run(command)
