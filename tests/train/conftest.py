"""Tiny datasets: gray squares to classify, in IDX files, and bright squares to detect."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny models gain nothing from more, and on a busy machine the threads wait for one another."""
    torch.set_num_threads(1)


def write_idx(folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">4I", 0x803, *images.shape)
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">2I", 0x801, len(labels)) + labels.tobytes())
    )


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """28 x 28 images with a bright bar in one of ten rows, which is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 90, (count, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label, 4:24] = 220
    return images, labels


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_idx(folder, "train", *squares(320, 1))
    write_idx(folder, "t10k", *squares(60, 2))
    return folder


@pytest.fixture(scope="session")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YOLO folder: 16 images of 96 x 64 with one square each, class 0 dark, class 1 bright."""
    folder = tmp_path_factory.mktemp("boxes")
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (folder / name).mkdir()
    (folder / "data.yaml").write_text("names: [dark, bright]\n")
    for index in range(16):
        image = np.full((64, 96, 3), 110, np.uint8)
        side, kind = int(rng.integers(16, 40)), index % 2
        x, y = int(rng.integers(0, 96 - side)), int(rng.integers(0, 64 - side))
        cv2.rectangle(image, (x, y), (x + side - 1, y + side - 1), (240, 240, 240) if kind else (10, 10, 10), -1)
        cv2.imwrite(str(folder / "images" / f"{index:02d}.png"), image)
        row = [(x + side / 2) / 96, (y + side / 2) / 64, side / 96, side / 64]
        (folder / "labels" / f"{index:02d}.txt").write_text(f"{kind} {' '.join(f'{value:.6f}' for value in row)}\n")
    return folder
