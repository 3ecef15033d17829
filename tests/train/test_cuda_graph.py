"""A training step as a CUDA graph computes what its operations do one by one. Needs a GPU."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch

from edgecnn.data import Boxes
from edgecnn.models import create
from edgecnn.models.new_card import new_card
from edgecnn.train.config import TrainConfig
from edgecnn.train.detect import DetectionObjective
from edgecnn.train.device_batches import DetectionBatches
from edgecnn.train.device_loop import DeviceLoop
from edgecnn.train.engine import Engine
from edgecnn.train.hardware import Hardware
from edgecnn.train.in_memory import InMemoryImages

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU for a CUDA graph")

SMALL = {"classes": 2, "size": (64, 96), "widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 16, "head_depth": 1}


def trained(tmp_path: Path, *, graphs: bool, epochs: int = 3, stop: int = 0, resume: bool = False) -> tuple[Engine, list[str]]:
    rng, count, lines = np.random.default_rng(0), 64, list[str]()
    boxes = tuple(Boxes(np.float32([[8, 8, 40, 40]]), np.array([index % 2], np.int64)) for index in range(count))
    images = rng.integers(0, 255, (count, 64, 96, 3), np.uint8)
    none = np.zeros((count, 2), np.bool_)
    loaded = InMemoryImages(images, np.zeros(count, np.int64), boxes, np.zeros(count, np.float32), ~none, none)
    config = TrainConfig(
        model="edgedet", data=("x",), out=tmp_path, epochs=epochs, batch=16, augment="none", multiscale_fraction=0.5
    )
    hardware, card = Hardware("cuda", bf16=False), new_card("edgedet", SMALL, ("a", "b"))
    torch.manual_seed(0)
    torch.backends.cudnn.deterministic = True
    batches = DetectionBatches(loaded, card, config, "cuda")
    objective = DetectionObjective(loaded, card.preprocess, config, 8.0)
    engine = Engine(create("edgedet", **SMALL), objective, config, hardware, batches=batches, say=lines.append)
    loop = engine._loop
    assert isinstance(loop, DeviceLoop)
    loop._graphs = graphs
    tmp_path.mkdir(exist_ok=True)
    if resume:
        engine.resume(tmp_path)

    def after_save(*_: object) -> None:
        if engine.epoch == stop:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        engine.run(tmp_path, lambda *_: {}, after_save)
    return engine, lines


def test_a_graph_trains_as_the_operations_one_by_one(tmp_path: Path) -> None:
    with_graph, lines = trained(tmp_path / "graph", graphs=True)
    without, _ = trained(tmp_path / "eager", graphs=False)
    assert not lines  # which would say that no graph could be captured
    for one, other in zip(with_graph.history, without.history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=2e-3)
    pairs = zip(with_graph.average.model.parameters(), without.average.model.parameters(), strict=True)
    assert max(float((a - b).abs().max()) for a, b in pairs) < 2e-3


def test_a_resumed_training_goes_on_with_a_graph(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "whole", graphs=True, epochs=4)
    trained(tmp_path / "parts", graphs=True, epochs=4, stop=2)
    again, lines = trained(tmp_path / "parts", graphs=True, epochs=4, resume=True)
    assert not lines
    assert len(again.history) == 4
    assert [row["loss"] for row in again.history] == pytest.approx([row["loss"] for row in whole.history], rel=5e-3)
