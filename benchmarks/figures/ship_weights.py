"""Prepares a trained checkpoint for shipping: rounds weights to half precision, measures it, adds notes for users to its card.

`python -m edgecnn.benchmarks.figures.ship_weights runs/x/model.safetensors --name x --notes NOTES.json --data DATA --out DIR`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.data import held_out_split, open_dataset
from edgecnn.data.address import shown_address
from edgecnn.data.for_task import for_task
from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.metrics import Score
from edgecnn.models.checkpoint import load_checkpoint, save_checkpoint
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train.predict import EagerPredictor, one_thread, scoring_card

REQUIRED_NOTES = ("what", "data", "licence", "attribution", "bad_at")


def rounded(model: nn.Module) -> nn.Module:
    """The model with weights rounded to half precision and stored as float32; batch-norm statistics are not rounded."""
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    return model


def read_notes(path: Path, name: str) -> dict[str, Any]:
    """The object ``name`` of a JSON file; raises ``InputError`` where it or one of its entries is missing."""
    try:
        notes: dict[str, Any] = json.loads(path.read_text()).get(name, {})
    except (OSError, ValueError) as error:
        raise InputError(f"--notes: {path} can't be read: {error}", "correct the file") from error
    missing = [key for key in REQUIRED_NOTES if not notes.get(key)]
    if missing:
        raise InputError(f"--notes: {name} in {path} has no {', '.join(missing)}", "add them")
    return notes


def score(model: nn.Module, card: ModelCard, uri: str) -> tuple[str, Score]:
    """Name and score on a dataset: its test or validation split where it has one."""
    dataset = for_task(open_dataset(uri, split=held_out_split(uri), task=card.task), card)
    classes = find(dataset.task).match_labels(card.labels, dataset.labels)
    with one_thread():
        return shown_address(uri), evaluate(EagerPredictor(model, scoring_card(card)), dataset, classes=classes)


def ship(
    checkpoint: str, name: str, notes: Mapping[str, Any], data: tuple[str, ...], out: Path, *, half: bool = True
) -> ModelCard:
    """Write ``out/name.safetensors`` and return its card; scores are from the first of ``data``, those of the others go into the notes."""
    model, card = load_checkpoint(checkpoint)
    model = rounded(model) if half else model
    measured = [score(model, card, uri) for uri in data]
    source, first = measured[0]
    others = {other: {"n": item.n, **item.values} for other, item in measured[1:]}
    scores = {"data": source, "n": first.n, **first.values}
    if card.labels:
        scores["per_class"] = dict(first.per_class)
    training = {**card.training, "scores": scores, "notes": {**notes, **({"measured": others} if others else {})}}
    return save_checkpoint(out / f"{name}.safetensors", model, card.replace(name=name, training=training), half=half)


@click.command()
@click.argument("checkpoint")
@click.option("--name", required=True)
@click.option("--notes", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--data", required=True)
@click.option("--also", multiple=True, help="More datasets to score on.")
@click.option("--half/--full", default=True, show_default=True, help="Round weights to half precision.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(checkpoint: str, name: str, notes: Path, data: str, also: tuple[str, ...], half: bool, out: Path) -> None:
    """Write the shipped form of CHECKPOINT."""
    try:
        card = ship(checkpoint, name, read_notes(notes, name), (data, *also), out, half=half)
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"wrote {out / name}.safetensors: {card.training['scores']}")


if __name__ == "__main__":
    main()
