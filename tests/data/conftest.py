"""Small datasets of every kind, written as real files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

VocBox = tuple[str, tuple[Any, Any, Any, Any]]


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write an image of random pixels, 40 wide and 30 high if nothing else is said."""

    def write(path: Path, width: int = 40, height: int = 30, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
        assert cv2.imwrite(str(path), pixels)
        return path

    return write


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    """Write the image and label file of a split, and give the folder."""

    def write(folder: Path, split: str = "train", count: int = 20, packed: bool = True, labels: int | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        prefix = {"train": "train", "test": "t10k"}[split]
        pixels = np.random.default_rng(count).integers(0, 255, (count, 28, 28), np.uint8)
        truth = np.arange(count if labels is None else labels, dtype=np.uint8) % 10
        contents = {
            f"{prefix}-images-idx3-ubyte": np.array([0x803, count, 28, 28], ">u4").tobytes() + pixels.tobytes(),
            f"{prefix}-labels-idx1-ubyte": np.array([0x801, len(truth)], ">u4").tobytes() + truth.tobytes(),
        }
        for name, content in contents.items():
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
        return folder

    return write


@pytest.fixture
def write_voc(write_image: Callable[..., Path]) -> Callable[..., Path]:
    """Write one image with its XML, and give the XML's path."""

    def write(root: Path, stem: str, boxes: list[VocBox], folders: tuple[str, str] = ("Annotations", "JPEGImages")) -> Path:
        write_image(root / folders[1] / f"{stem}.png")
        objects = "".join(
            f"<object>\n<name>{name}</name><difficult>0</difficult>\n<bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
            f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox>\n</object>\n"
            for name, box in boxes
        )
        path = root / folders[0] / f"{stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<annotation>\n<filename>{stem}.png</filename>\n{objects}</annotation>\n")
        return path

    return write


@pytest.fixture
def write_yolo(write_image: Callable[..., Path]) -> Callable[..., Path]:
    """Write one image with its label file, and give the label file's path."""

    def write(images: Path, stem: str, lines: list[str]) -> Path:
        write_image(images / f"{stem}.png")
        path = Path(str(images).replace("images", "labels")) / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
        return path

    return write


@pytest.fixture
def write_coco(write_image: Callable[..., Path]) -> Callable[..., Path]:
    """Write two images and instances.json with two categories (ids 3 and 7), and give the record's path."""

    def write(root: Path, annotations: list[dict[str, Any]], name: str = "instances_val.json") -> Path:
        for number in (11, 12):
            write_image(root / "val" / f"{number}.png", seed=number)
        record = {
            "images": [{"id": number, "file_name": f"{number}.png", "width": 40, "height": 30} for number in (11, 12)],
            "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
            "annotations": annotations,
        }
        path = root / name
        path.write_text(json.dumps(record))
        return path

    return write
