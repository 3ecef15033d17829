"""Tiny datasets: gray squares to classify, in IDX files, and bright squares to detect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny models gain nothing from more, and on a busy machine the threads wait for one another."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(make_digits: Callable[[int, int], Path]) -> Path:
    return make_digits(320, 60)


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
