"""Tiny datasets and teachers: gray bars to classify, in IDX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgecnn.models import create, save_checkpoint
from edgecnn.models.new_card import new_card


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(make_digits: Callable[[int, int], Path]) -> Path:
    return make_digits(160, 40)


LABELS = tuple("0123456789")
Make = Callable[..., Path]


@pytest.fixture
def untrained(tmp_path: Path) -> Make:
    """Makes a checkpoint with random weights: name of the network, its labels, its options."""

    def make(name: str = "lecture", labels: tuple[str, ...] = LABELS, file: str = "", seed: int = 0, **options: Any) -> Path:
        torch.manual_seed(seed)
        card = new_card(name, {"classes": len(labels), **options}, labels)
        path = tmp_path / f"{file or name}.safetensors"
        save_checkpoint(path, create(name, **card.model["options"]), card)
        return path

    return make
