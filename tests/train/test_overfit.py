"""Each objective, with its network, decoder and measure, learns a few images by heart: what would not, has a fault somewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, Sample, open_dataset
from edgecnn.models import create
from edgecnn.models.new_card import new_card
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train.config import TrainConfig
from edgecnn.train.in_memory import load
from edgecnn.train.objectives import trained
from edgecnn.train.predict import EagerPredictor, scoring_card
from edgecnn.types import Image

SCENE = "scene:cups?seed=5&fps=1&cut=1&count=3&size=128x96&noise=0&objects=2&occlude=0&clutter=2"
SMALL = {"widths": (16, 24, 32, 48, 64), "depths": (1, 1, 1, 1), "neck": 32, "size": (96, 128)}


def learnt(dataset: Dataset, name: str, options: dict[str, object], steps: int, peak: float) -> float:
    """The score on the images that a network was trained with, without augmentation."""
    torch.manual_seed(0)
    card = new_card(name, {**options, "classes": len(dataset.labels)}, dataset.labels)
    model = create(name, **card.model["options"])
    config = TrainConfig(
        model=name, data=("few",), out=Path("unused"), augment="none", flip=False, batch=len(dataset), multiscale_fraction=0
    )
    objective = trained(card.task).objective(load([dataset], card.preprocess, quiet=True), card, config)
    inputs, truth = objective.batch(np.arange(len(dataset)), 0)
    _fit(model, lambda: objective.loss(model, inputs, truth), steps, peak)
    return _score(model, card, dataset)


def _fit(model: nn.Module, loss: Callable[[], torch.Tensor], steps: int, peak: float) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), peak, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        schedule.step()


def _score(model: nn.Module, card: ModelCard, dataset: Dataset) -> float:
    with torch.no_grad():
        return evaluate(EagerPredictor(model, scoring_card(card)), dataset, strict=True).primary


def test_key_points_are_learnt() -> None:
    assert learnt(open_dataset(SCENE, task="pose"), "edgepose", SMALL, 150, 1e-2) > 0.7


def test_masks_are_learnt() -> None:
    assert learnt(open_dataset(SCENE, task="segment"), "edgeseg", SMALL, 100, 1e-2) > 0.7


def test_sets_of_labels_are_learnt() -> None:
    rng = np.random.default_rng(0)
    samples = tuple(_coloured(index, rng) for index in range(16))
    dataset = Dataset("colours", "multilabel", ("red", "green", "blue"), samples)
    assert learnt(dataset, "resnet-xs", {"size": (16, 16), "channels": 3, "head": "multilabel"}, 60, 5e-3) > 0.95


def _coloured(index: int, rng: np.random.Generator) -> Sample:
    """Squares of the colours of its labels, which are the bits of ``index``, on grey noise."""
    image: Image = rng.integers(80, 140, (16, 16, 3), np.uint8)
    labels = [label for label in range(3) if index >> label & 1]
    for label in labels:
        row, column = rng.integers(0, 12, 2)
        image[row : row + 4, column : column + 4] = np.eye(3, dtype=np.uint8)[2 - label] * 255
    return Sample(f"{index}.png", lambda: image, labels=frozenset(labels))
