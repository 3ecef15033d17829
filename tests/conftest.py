"""Shared fixtures: where the real data is, and a tiny dataset to classify."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings

os.environ["EDGECNN_TRIAL_LOAD"] = "off"  # each test writes models of its own, and a helper process for each would take minutes
settings.register_profile("busy", deadline=None)  # how long an example takes says only how busy the machine is
settings.register_profile(
    "mutation", deadline=None, phases=(Phase.explicit, Phase.generate)
)  # no search for the simplest example
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real datasets, videos and models; the test is skipped where it is absent."""
    folder = Path(os.environ.get("EDGECNN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set EDGECNN_DATA to a folder with the datasets")
    return folder


@pytest.fixture(scope="session")
def damage_pixels() -> Callable[[Path], None]:
    """Overwrites the pixels of a PNG; its header, its chunks and its end stay as they should be."""

    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        at = 8
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 8] == b"IDAT":
                data[at + 8 : at + 8 + length] = bytes(length)
            at += 12 + length
        path.write_bytes(bytes(data))

    return damage


@pytest.fixture(scope="session")
def make_digits(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Path]:
    """Makes IDX files with so many images to train on and to test on; the labels are 0 to 9."""

    def make(train: int, test: int) -> Path:
        folder = tmp_path_factory.mktemp("digits")
        write_idx(folder, "train", *bars(train, 1))
        write_idx(folder, "t10k", *bars(test, 2))
        return folder

    return make


def write_idx(folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray) -> None:
    header = struct.pack(">4I", 0x803, *images.shape)
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    header = struct.pack(">2I", 0x801, len(labels))
    (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes()))


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """28 x 28 images with a bright bar in one of ten rows, which is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 90, (count, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label, 4:24] = 220
    return images, labels
