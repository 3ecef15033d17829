"""Networks that learnt a planted shortcut, networks trained on clean images, and networks trained with augmentation: which are caught?

``python -m edgecnn.benchmarks.figures.shortcuts CASE --first-seed 100 --json FILE`` for stars, tags and cars

``--weaker`` plants the shortcut only in a share of the training images, too; in the others the sign is drawn by the toss of a coin.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.data import open_dataset
from edgecnn.files import check_writable
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train.config import TrainConfig
from edgecnn.train.run import train
from edgecnn.trust.shortcuts.config import ShortcutsConfig
from edgecnn.trust.shortcuts.search import find_shortcuts

SIZE, IMAGES, EPOCHS, BATCH = 48, 800, 8, 32
WEAKER = (0.95, 0.8, 0.6)  # shares of the images in which the shortcut goes with the class
TRAINING_SEED, SEARCH_SEED, CLEAN_SEED = 1000, 5000, 9000  # of the images: none is seen twice


@dataclass(frozen=True, slots=True)
class TrainedKind:
    """A way to train: on which drawn images, with how much of the shortcut, and with which augmentation."""

    name: str
    scene: str
    shortcut: float
    augment: str = "none"

    @property
    def planted(self) -> bool:
        """Whether the network should be caught."""
        return self.shortcut > 0 and self.augment == "none"


KINDS = (
    TrainedKind("stars, position planted", "stars", 1),
    TrainedKind("stars, clean", "stars", 0),
    TrainedKind("stars, position planted, trained with flips and shifts", "stars", 1, "none?flip=0.5&shift=0.15"),
    TrainedKind("tags, tag planted", "tags", 1),
    TrainedKind("tags, clean", "tags", 0),
    TrainedKind("cars, sky planted", "cars", 1),
    TrainedKind("cars, clean", "cars", 0),
    TrainedKind("cars, sky planted, trained with all hues", "cars", 1, "none?flip=0.5&color=1"),
)


@dataclass(frozen=True, slots=True)
class Tried:
    """One network: its accuracy on images like those it was trained on and on clean ones, and what the search said."""

    seed: int
    accuracy: float
    clean_accuracy: float
    verdict: str
    findings: tuple[str, ...]
    evidence: float | None


def tried(kind: TrainedKind, seed: int, count: int) -> Tried:
    """Train a network and search it for shortcuts on other images of the same kind."""
    uri = f"scene:{kind.scene}?shortcut={kind.shortcut}&count="
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(
            model="lecture",
            data=(f"{uri}{IMAGES}&seed={TRAINING_SEED + seed}",),
            out=Path(folder) / "run",
            epochs=EPOCHS,
            batch=BATCH,
            seed=seed,
            val_fraction=0.0,
            augment=kind.augment,
            workers=0,
            model_options={"size": (SIZE, SIZE)},
        )
        path = train(config, say=lambda line: None)
        clean = open_dataset(f"scene:{kind.scene}?shortcut=0&count={count}&seed={CLEAN_SEED + seed}")
        with Predictor(path) as predictor:
            clean_accuracy = evaluate(predictor, clean).primary
        data = DatasetSelection(f"{uri}{count}&seed={SEARCH_SEED + seed}")
        found = find_shortcuts(ShortcutsConfig(file=path, data=data, count=count, explained=12, seed=seed))
    evidence = found.evidence[0].gain.value if found.evidence else None
    return Tried(seed, found.accuracy.value, clean_accuracy, found.verdict, found.findings, evidence)


@click.command()
@click.argument("case", type=click.Choice(("stars", "tags", "cars")))
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Networks of each kind.")
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True, help="The seeds count from here on.")
@click.option("--weaker", is_flag=True, help="Only networks with the shortcut in a share of the training images.")
@click.option("--count", type=click.IntRange(20), default=100, show_default=True, help="Images of each search.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the record.")
def command(case: str, seeds: int, first_seed: int, weaker: bool, count: int, json_path: Path | None) -> None:
    """Train networks on the drawn images CASE with and without a planted shortcut, and count which the search catches."""
    if json_path is not None:
        check_writable(json_path)
    rows = []
    kinds = [one for one in KINDS if one.scene == case]
    if weaker:
        kinds = [dataclasses.replace(kinds[0], name=f"{kinds[0].name} in {share:.0%}", shortcut=share) for share in WEAKER]
    for kind in kinds:
        networks = [tried(kind, seed, count) for seed in range(first_seed, first_seed + seeds)]
        caught = sum(one.verdict == "shortcut" for one in networks)
        clean = sum(one.clean_accuracy for one in networks) / seeds
        click.echo(f"{kind.name}: {caught} of {seeds} caught, mean accuracy on clean images {clean:.3f}")
        rows.append(
            {
                **dataclasses.asdict(kind),
                "planted": kind.planted,
                "caught": caught,
                "networks": [dataclasses.asdict(one) for one in networks],
            }
        )
    if json_path is not None:
        figure.record(
            json_path,
            "shortcuts",
            {"case": case, "images": IMAGES, "epochs": EPOCHS, "size": SIZE, "searched": count, "kinds": rows},
        )


if __name__ == "__main__":
    figure.run(command)
