"""Model files with a card, with metadata of Ultralytics, or with neither, for tests of what is known of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from tests.contracts.tiny import Graph, write

SIZE = 64


CELLS = 64 + 16 + 4


NAMES = {0: "person", 1: "it's a dog", 2: "traffic light"}


IMAGE = np.zeros((100, 200, 3), np.uint8)


def infer_card(path: Path, **options: Any) -> ModelCard:
    backend = open_backend(path)
    try:
        return card_for(backend, path, CardOptions(**options))
    finally:
        backend.close()


def card(**changes: Any) -> ModelCard:
    made = ModelCard(
        name="tiny", task="classify", labels=("a", "b", "c"), preprocess=Preprocess((8, 8)).folded(), decode=Decode("softmax")
    )
    return made.replace(**changes)


def with_card(folder: Path, made: ModelCard, kind: str = "onnx", outputs: int = 3) -> Path:
    graph = Graph({"logits": np.arange(outputs, dtype=np.float32)[None]}, metadata={CARD_KEY: made.to_json()})
    return write(folder, kind, graph)


def ultralytics(**changes: Any) -> dict[str, Any]:
    record = {
        "description": "Ultralytics YOLO model trained on x.yaml",
        "author": "Ultralytics",
        "date": "2026-01-01T00:00:00",
        "version": "8.3.0",
        "stride": 32,
        "task": "detect",
        "batch": 1,
        "imgsz": [SIZE, SIZE],
        "names": NAMES,
        "args": {"batch": 1, "half": False, "dynamic": False, "nms": False},
        "channels": 3,
    }
    return {**record, **changes}


def scalar(item: Any) -> str:
    quoted = str(item).replace("'", "''")
    return f"'{quoted}'" if "'" in str(item) else str(item).lower() if isinstance(item, bool) else str(item)


def as_yaml(record: dict[str, Any]) -> str:
    lines = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {scalar(item)}" for name, item in value.items())]
        elif isinstance(value, list):
            lines += [f"{key}:", *(f"- {item}" for item in value)]
        else:
            lines.append(f"{key}: {value}" if key != "date" else f"{key}: '{value}'")
    return "\n".join(lines) + "\n"


def yolo_output(layout: str, unit: float) -> np.ndarray:
    """One box of class 2 at centre (32, 24), 16 wide and 8 high, with score 0.72."""
    box = np.array([32, 24, 16, 8], np.float32) / unit
    if layout == "end2end":
        out = np.zeros((1, 300, 6), np.float32)
        out[0, 0] = [24 / unit, 20 / unit, 40 / unit, 28 / unit, 0.72, 2]
        return out
    count = CELLS * (3 if layout == "objectness" else 1)
    out = np.zeros((1, count, 8 if layout == "objectness" else 7), np.float32)
    out[0, :, :2] = 40 / unit  # the other cells look elsewhere
    out[0, 9, :4] = box
    out[0, 9, 4:] = [0.9, 0.1, 0.1, 0.8] if layout == "objectness" else [0.1, 0.1, 0.72]
    return out if layout == "objectness" else np.ascontiguousarray(out.transpose(0, 2, 1))


def yolo(folder: Path, kind: str, layout: str, record: dict[str, Any], *, place: str = "") -> Path:
    shape = (1, SIZE, SIZE, 3) if kind == "tflite" else (1, 3, SIZE, SIZE)
    metadata = {"onnx": {key: str(value) for key, value in record.items()}, "tflite": {place: json.dumps(record)}}.get(kind, {})
    if place == "temp_meta.txt":
        metadata = {place: str(record)}
    graph = Graph(
        {"output0": yolo_output(layout, SIZE if kind == "tflite" else 1)}, shape, "float32", 0.0, metadata, input_name="images"
    )
    if kind == "openvino":
        (folder / "metadata.yaml").write_text(as_yaml(record))
    return write(folder, kind, graph, "yolo")
