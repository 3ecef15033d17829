"""A planted bias over ten seeds: is the group named that a network serves worse, and does a fair set pass?

``python -m edgecnn.benchmarks.figures.planted_bias --json FILE``

Noisy images come from three cameras, and a network is measured by camera. In the biased set camera c has an eighth of the contrast, which
the network was not trained on; in the fair set all cameras are alike.
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
from edgecnn.files import check_writable
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.trust.groups.group_key import parse_group_key
from edgecnn.trust.groups.measure import evaluate_groups
from edgecnn.types import Array, Image

CAMERAS = ("a", "b", "c")
IMAGES = 180


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Number of seeds.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(seeds: int, json_path: Path | None) -> None:
    """Measure networks on biased and fair sets by groups."""
    if json_path is not None:
        check_writable(json_path)
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory(prefix="edgecnn-bias-") as name:
            network = tiny_networks.write_onnx(tiny_networks.train_classifier(seed), Path(name) / "network.onnx")
            for biased in (True, False):
                data = _write(Path(name) / f"biased{biased}", *tiny_networks.patterns(IMAGES, seed + 3000), seed, biased=biased)
                rows.append({"seed": seed, "biased": biased, **_measured(network, data)})
    caught = sum(row["named"] == ["c"] for row in rows if row["biased"])
    passed = sum(not row["named"] for row in rows if not row["biased"])
    click.echo(f"planted bias named {caught} of {seeds}, fair sets passed {passed} of {seeds}")
    if json_path is not None:
        figure.record(json_path, "planted_bias", {"caught": caught, "passed": passed, "seeds": seeds, "rows": rows})


def _write(folder: Path, images: list[Image], truth: Array, seed: int, *, biased: bool) -> Path:
    """Folders by class, and cameras.csv; images of camera c are weak in contrast where the set is ``biased``, a little noisy all."""
    random = np.random.default_rng(seed + 77)
    lines = ["file,camera"]
    for number, (image, label) in enumerate(zip(images, truth.tolist(), strict=True)):
        camera = CAMERAS[number % len(CAMERAS)]
        shown = image.astype(np.float32) + random.normal(0, 45, image.shape)
        if biased and camera == "c":
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
    return {"named": [group.name for group in found.behind], "rates": rates, "gap": found.gap}


if __name__ == "__main__":
    figure.run(command)
