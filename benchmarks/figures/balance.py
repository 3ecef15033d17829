"""A class with 2 % of the training images: accuracy of it and of the mean, trained as it is, with weights and with balanced sampling.

``python -m edgecnn.benchmarks.figures.balance FASHION_MNIST --json FILE``

Of Fashion-MNIST 4,000 training images are used, of which 80 are shirts, the class that is most often confused, and 2,000 of the test
split, as they are.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.data import Dataset, open_dataset
from edgecnn.files import check_writable
from edgecnn.models import load_checkpoint
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train.config import Balance, TrainConfig
from edgecnn.train.predict import EagerPredictor, one_thread
from edgecnn.train.run import train

RARE, SHARE, TRAIN, TEST = "Shirt", 0.02, 4000, 2000
WAYS: tuple[Balance, ...] = ("none", "weights", "sampling")


@click.command()
@click.argument("data")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Number of seeds.")
@click.option("--epochs", type=click.IntRange(1), default=6, show_default=True)
@click.option("--model", default="lecture", show_default=True, help="The network, see edgecnn train --help.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(data: str, seeds: int, epochs: int, model: str, json_path: Path | None) -> None:
    """Train on a rare class in three ways."""
    if json_path is not None:
        check_writable(json_path)
    test = open_dataset(data, split="test").take(limit=TEST)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="edgecnn-balance-") as name:
        for seed in range(seeds):
            chosen = Path(name) / f"set{seed}"
            write_rare(open_dataset(data, split="train"), chosen, seed)
            for way in WAYS:
                out = Path(name) / f"{way}{seed}"
                config = TrainConfig(
                    model=model, data=(str(chosen),), out=out, epochs=epochs, seed=seed, balance=way, flip=False, workers=1
                )
                rows.append({"seed": seed, "balance": way, **_recalls(train(config), test)})
    for way in WAYS:
        own = [row for row in rows if row["balance"] == way]
        rare, mean = (np.array([row[key] for row in own]) for key in ("rare", "mean"))
        spread = rare.std(ddof=1) if len(own) > 1 else 0.0
        click.echo(f"{way:<9} {RARE} {rare.mean():.1%} ± {spread:.1%}, mean of all classes {mean.mean():.1%}")
    if json_path is not None:
        figure.record(json_path, "balance", {"class": RARE, "share": SHARE, "train": TRAIN, "test": TEST, "rows": rows})


def write_rare(dataset: Dataset, folder: Path, seed: int) -> None:
    """Images in folders by class: all classes as frequent as they are, but RARE with SHARE of all."""
    rare = dataset.labels.index(RARE)
    left = {True: round(TRAIN * SHARE), False: round(TRAIN * (1 - SHARE))}
    for index in np.random.default_rng(seed).permutation(len(dataset)).tolist():
        sample = dataset.samples[index]
        is_rare = sample.label == rare
        if left[is_rare]:
            left[is_rare] -= 1
            place = folder / dataset.labels[sample.label or 0].replace("/", "-")
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / f"{index:05}.png"), sample.read())
        if not any(left.values()):
            return


def _recalls(checkpoint: Path, test: Dataset) -> dict[str, Any]:
    network, card = load_checkpoint(str(checkpoint))
    with one_thread():
        recall = evaluate(EagerPredictor(network, card), _as(test, card.labels)).per_class
    return {"rare": recall[RARE], "mean": float(np.mean(list(recall.values()))), "recall": dict(recall)}


def _as(test: Dataset, labels: tuple[str, ...]) -> Dataset:
    """The dataset with its classes in the order of the network's."""
    new = [labels.index(name.replace("/", "-")) for name in test.labels]
    changed = test.map(lambda sample: dataclasses.replace(sample, label=new[sample.label or 0]))
    return dataclasses.replace(changed, labels=labels)


if __name__ == "__main__":
    figure.run(command)
