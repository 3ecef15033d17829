"""Tiny datasets and teachers: gray bars to classify, in IDX files."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgecnn.models import create, save_checkpoint
from edgecnn.models.new_card import new_card


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """28 x 28 images with a bright bar in one of ten rows, which is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 90, (count, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label, 4:24] = 220
    return images, labels


def write_idx(folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray) -> None:
    header = struct.pack(">4I", 0x803, *images.shape)
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    header = struct.pack(">2I", 0x801, len(labels))
    (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes()))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 images to train on and 40 to test on; the labels are 0 to 9."""
    folder = tmp_path_factory.mktemp("digits")
    write_idx(folder, "train", *bars(160, 1))
    write_idx(folder, "t10k", *bars(40, 2))
    return folder


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
