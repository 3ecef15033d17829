"""A planted bias over ten seeds: is the group named that a network serves worse, and does a fair set pass?

``python -m edgecnn.benchmarks.figures.planted_bias --first-seed 100 --json FILE``

Noisy images come from three cameras, and a network is measured by camera. In a biased set a share of the images of camera c
has an eighth of the contrast, which the network was not trained on; in the fair set all cameras are alike.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from edgecnn.benchmarks.figures import figure, tiny_networks
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.files import check_writable
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.trust.groups.group_key import parse_group_key
from edgecnn.trust.groups.measure import evaluate_groups
from edgecnn.types import Array, Image

CAMERAS = ("a", "b", "c")
IMAGES = 180
SHARES = (1.0, 0.5, 0.25, 0.125, 0.0)  # of the images of camera c that are weak; 0 is the fair set


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Number of seeds.")
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True, help="The seeds count from here on.")
@click.option("--network", type=click.Choice(tiny_networks.NETWORKS), default="plain", show_default=True, help="What is trained.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(seeds: int, first_seed: int, network: str, json_path: Path | None) -> None:
    """Measure networks on biased and fair sets by groups."""
    if json_path is not None:
        check_writable(json_path)
    rows: list[dict[str, Any]] = []
    with ProgressLine() as line:
        for seed in range(first_seed, first_seed + seeds):
            line(f"seed {seed}, {seed - first_seed + 1} of {seeds}")
            rows += _rows(seed, network)
    summary = [_summary(share, [row for row in rows if row["share"] == share]) for share in SHARES]
    for one in summary:
        click.echo(
            f"{one['share']:>4.0%} of camera c weak, {100 * one['behind']:5.1f} points behind: named {one['named']} of {one['of']}, "
            f"another camera named {one['wrong']}"
        )
    if json_path is not None:
        figure.record(json_path, "planted_bias", {"network": network, "summary": summary, "rows": rows})


def _summary(share: float, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How often camera c alone is named, how often another one, and how far c is behind the others on average."""
    return {
        "share": share,
        "of": len(rows),
        "named": sum("c" in row["named"] for row in rows),
        "wrong": sum(bool(set(row["named"]) - {"c"}) for row in rows),
        "behind": float(np.mean([row["behind"] for row in rows])),
    }


def _rows(seed: int, network: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="edgecnn-bias-") as name:
        file = tiny_networks.write_onnx(tiny_networks.train_classifier(seed, kind=network), Path(name) / "network.onnx")
        images, truth = tiny_networks.patterns(IMAGES, seed + 3000)
        found = []
        for share in SHARES:
            data = _write(Path(name) / f"share{share}", images, truth, seed, share)
            found.append({"seed": seed, "share": share, **_measured(file, data)})
        return found


def _write(folder: Path, images: list[Image], truth: Array, seed: int, share: float) -> Path:
    """Folders by class, and cameras.csv; a ``share`` of the images of camera c is weak in contrast, all are a little noisy."""
    random = np.random.default_rng(seed + 77)
    chosen = np.random.default_rng(seed + 78).random(len(images)) < share
    lines = ["file,camera"]
    for number, (image, label) in enumerate(zip(images, truth.tolist(), strict=True)):
        camera = CAMERAS[number % len(CAMERAS)]
        shown = image.astype(np.float32) + random.normal(0, 45, image.shape)
        if camera == "c" and chosen[number]:
            shown = 110 + 0.12 * (shown - 110)
        place = folder / tiny_networks.CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number:03}.png"), np.clip(shown, 0, 255).astype(np.uint8))
        lines.append(f"{number:03}.png,{camera}")
    (folder / "cameras.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _measured(network: Path, data: Path) -> dict[str, Any]:
    options = CardOptions(labels=Path(",".join(tiny_networks.CLASSES)), color="rgb", mean=(0.0,), std=(255.0,), resize="stretch")
    config = EvaluationConfig(file=network, data=DatasetSelection(str(data)), options=options)
    found = evaluate_groups(config, parse_group_key("camera"))
    rates = {group.name: group.rate for group in found.groups}
    behind = {group.name: group.behind for group in found.groups}
    return {"named": [group.name for group in found.behind], "rates": rates, "gap": found.gap, "behind": behind["c"]}


if __name__ == "__main__":
    figure.run(command)
