"""What adversarial training buys: accuracy under attack of two networks that differ in nothing else, with a plot.

``python -m edgecnn.benchmarks.figures.adversarial PLAIN ADVERSARIAL --data ADDRESS --plot FILE.png --json FILE``

Both are checkpoints of `edgecnn train`. Each is attacked by PGD with its own gradients, beside noise of the same strength.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.files import check_writable
from edgecnn.metrics.score import TITLES
from edgecnn.train import plots
from edgecnn.trust.attack.attackers import NOISE, PGD
from edgecnn.trust.attack.result import AttackReport
from edgecnn.trust.attack.run import AttackConfig, run_attack
from edgecnn.trust.attack.text import to_text

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("plain")
@click.argument("adversarial")
@click.option("--data", required=True, metavar="ADDRESS", help="Images that neither network was trained on.")
@click.option("--limit", type=click.IntRange(1), default=500, show_default=True, help="Images, evenly spread over the dataset.")
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Steps of PGD.")
@click.option("--plot", "plot_path", type=PATH, help="Write the curves as PNG.")
@click.option("--json", "json_path", type=PATH, help="Write all results as JSON.")
def command(
    plain: str, adversarial: str, data: str, limit: int, steps: int, plot_path: Path | None, json_path: Path | None
) -> None:
    """Attack both checkpoints with the same images and strengths."""
    for path in (plot_path, json_path):
        if path is not None:
            check_writable(path)
    found: dict[str, AttackReport] = {}
    for name, checkpoint in (("plain", plain), ("adversarial", adversarial)):
        config = AttackConfig(
            files=(figure.checkpoint(checkpoint),),
            data=DatasetSelection(data, limit=limit),
            methods=(NOISE, PGD),
            steps=steps,
            pictures=0,
        )
        with ProgressLine() as line:
            found[name] = run_attack(config, progress=line)
        click.echo(f"{name}\n{to_text(found[name])}\n")
    if plot_path is not None:
        draw(found, plot_path)
    if json_path is not None:
        figure.record(
            json_path,
            "adversarial",
            {name: _record(report, path) for (name, report), path in zip(found.items(), (plain, adversarial), strict=True)},
        )


def _record(report: AttackReport, checkpoint: str) -> dict[str, Any]:
    from edgecnn.models import read_card

    return {**report.to_document(), "training": read_card(checkpoint).training["command"]}


def draw(found: dict[str, AttackReport], path: Path) -> None:
    """Accuracy against strength: a colour for each network, PGD as a line with its interval, noise dashed."""
    drawing = plots.blank(7, 4.2)
    axes = drawing.add_subplot()
    for (name, report), colour in zip(found.items(), (plots.ORANGE, plots.BLUE), strict=True):
        own = report.files[0]
        places = range(len(report.strengths) + 1)
        for method, style in ((PGD, "-"), (NOISE, "--")):
            curve = own.curve(method)
            label = f"{name} training, {'PGD' if method == PGD else 'noise'}"
            axes.plot(
                places,
                [100 * level.value for level in curve],
                style,
                color=colour,
                marker="o" if method == PGD else None,
                label=label,
            )
            if method == PGD:
                low, high = ([100 * (getattr(level, end) or 0.0) for level in curve] for end in ("low", "high"))
                axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xticks(places, ["0", *map(str, sorted(report.strengths))])
        axes.set_ylabel(f"{TITLES[report.metric]} in %")
    axes.set(title="Accuracy under attack, Fashion-MNIST", xlabel="strength in grey levels of 255", ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left")
    plots.save(drawing, path)


if __name__ == "__main__":
    figure.run(command)
