"""Training of embeddings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgecnn.live import CameraConfig, RunConfig, run
from edgecnn.live.config import AnalyticsConfig
from edgecnn.models import create, load_checkpoint, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.train import TrainConfig, train
from edgecnn.train.embed import contrastive
from edgecnn.types import Embedding, Result

TINY = {"widths": (8, 8, 8), "depth": 1, "dim": 8, "size": (16, 16)}


def test_the_loss_is_that_of_the_paper() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 2.0], [-3.0, 0.0]])
    labels = torch.tensor([0, 0, 1, 1])
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).numpy().astype(np.float64)
    found = []
    for row, partner in ((0, 1), (1, 0), (2, 3), (3, 2)):
        others = [other for other in range(4) if other != row]
        weights = {other: np.exp(unit[row] @ unit[other] / 0.1) for other in others}
        found.append(-np.log(weights[partner] / sum(weights.values())))
    assert contrastive(vectors, labels).item() == pytest.approx(np.mean(found), rel=1e-5)


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name, colour in (("red", (0, 0, 200)), ("green", (0, 200, 0)), ("blue", (200, 0, 0)), ("grey", (120, 120, 120))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(6):
            image = np.clip(random.normal(colour, 25, (16, 16, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "data" / name / f"{index}.png"), image)
    return tmp_path


def test_training_brings_images_of_a_class_together(coloured: Path) -> None:
    lines: list[str] = []
    config = TrainConfig(
        model="embednet",
        data=(str(coloured / "data"),),
        val=(str(coloured / "data") + "?classes=red,blue",),  # not the classes of the training: images are compared, not classes
        out=coloured / "out",
        model_options=TINY,
        epochs=12,
        batch=24,
        lr=0.02,
        augment="none",
        ema=0.5,
        workers=0,
        amp="fp32",
    )
    checkpoint = train(config, lines.append)
    _, card = load_checkpoint(checkpoint)
    assert card.labels == ()
    assert card.decode.name == "embedding"
    assert card.outputs[0].shape == (1, 8)
    scores = card.training["scores"]
    assert scores["recall1"] == 1.0
    assert card.decode.options["match_threshold"] == pytest.approx(scores["threshold"], abs=1e-3)
    assert any("recall@1 100.00 %" in line for line in lines), lines


def test_run_names_what_it_sees_by_a_gallery(coloured: Path) -> None:
    torch.manual_seed(0)
    options = {**TINY, "channels": 3}
    file = coloured / "net.safetensors"
    save_checkpoint(file, create("embednet", **options).eval(), new_card("embednet", options, ()))
    found: list[Result] = []
    camera = CameraConfig(
        source=str(coloured / "data" / "red" / "0.png"),
        model=file,
        analytics=AnalyticsConfig(gallery=coloured / "data", match_threshold=1.0),
    )
    run(RunConfig(cameras=(camera,), log="off"), on_result=found.append)
    prediction = found[0].prediction
    assert isinstance(prediction, Embedding)
    assert prediction.neighbours[0].image == "red/0.png"
    assert prediction.neighbours[0].similarity == pytest.approx(1, abs=1e-5)
    assert len(prediction.neighbours) == 4
