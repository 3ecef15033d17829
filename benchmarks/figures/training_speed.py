"""Training speed: seconds per epoch and images per second of ``edgecnn train``, with everything that an epoch includes.

``python -m edgecnn.benchmarks.figures.training_speed resnet-m --data fashion-mnist --batch 512 --json FILE``
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any, get_args

import click
import torch

from edgecnn.benchmarks.figures import figure
from edgecnn.cli.options import parsed_by
from edgecnn.files import check_writable
from edgecnn.live.config import CARD_PARSERS
from edgecnn.models.checkpoint import read_card
from edgecnn.train.config import Loader, TrainConfig
from edgecnn.train.run import train

SKIPPED = 2  # epochs at the start: kernels are chosen, memory is allocated, graphs are captured


@click.command()
@click.argument("model")
@click.option("--data", multiple=True, required=True, help="Training data, as for edgecnn train; may be repeated.")
@click.option("--size", type=parsed_by(CARD_PARSERS["size"]), help="Input size, HxW.  [default: the model's]")
@click.option("--batch", type=click.IntRange(1), default=128, show_default=True)
@click.option("--epochs", type=click.IntRange(SKIPPED + 1), default=8, show_default=True, help="The first two are not counted.")
@click.option("--augment", default="standard", show_default=True)
@click.option("--loader", type=click.Choice(get_args(Loader)), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(
    model: str,
    data: tuple[str, ...],
    size: tuple[int, int] | None,
    batch: int,
    epochs: int,
    augment: str,
    loader: Loader,
    workers: int,
    json_path: Path | None,
) -> None:
    """Train MODEL for some epochs in a temporary folder, and tell how long one takes."""
    if json_path is not None:
        check_writable(json_path)
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(
            model=model,
            data=data,
            out=Path(folder) / "run",
            model_options={"size": size} if size else {},
            batch=batch,
            epochs=epochs,
            augment=augment,
            loader=loader,
            workers=workers,
            val_fraction=0.0,
            multiscale_fraction=0.0,
        )
        lines: list[str] = []

        def say(line: str) -> None:
            lines.append(line)
            click.echo(line, err=True)

        card = read_card(train(config, say))
    record = _record(card.training, lines[0])
    click.echo(
        f"{model}: {record['seconds']:.3f} s per epoch of {record['images']} images, {record['images_per_s']:.0f} images/s"
    )
    if json_path is not None:
        figure.record(json_path, "training_speed", {"model": model, "config": _plain(config), **record})


def _record(training: Any, machine: str) -> dict[str, Any]:
    seconds = [row["seconds"] for row in training["history"]]
    counted = statistics.median(seconds[SKIPPED:])
    images = int(training["images"])
    return {
        "machine": machine,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {key: training[key] for key in ("torch", "edgecnn", "python") if key in training},
        "images": images,
        "epochs": seconds,
        "seconds": counted,
        "images_per_s": images / counted,
    }


def _plain(config: TrainConfig) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {name: values[name] for name in ("data", "model_options", "batch", "epochs", "augment", "loader", "workers")}


if __name__ == "__main__":
    figure.run(command)
