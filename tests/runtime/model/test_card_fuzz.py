"""Random metadata and tensors of foreign files: a card, or an error in one line; never another exception, never much memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.output_checks import output_warnings
from edgecnn.types import Array, Tensors, TensorSpec

ROUNDS = 1000
MAX_BYTES = 64 * 2**20
SIZES = (0, -1, 1, 2, 3, 4, 5, 6, 7, 16, 17, 64, 84, 85, 300, 896, 1000, 2**31 - 1)
DTYPES = ("float32", "float16", "uint8", "int8", "int32", "int64")
WORDS: tuple[Any, ...] = (
    *("", "abc", "a,b", "[]", "['a', 'b']", "{0: 'a', 1: 'b'}", '{"0": "a"}', "{0: 'a', 5: 'b'}", "nan", "inf", "-1", "1e999"),
    *("0 0 0", "255", "detect", "classify", "segment", "[64, 64]", "[640]", "None", "(" * 500, "[" * 500, "9" * 5000, "'\\d'"),
    *("\ud800", "a\nb\x1b[31m", "\ufeffcat\n\ndog", "yes", "ssd", "yolo", "yolox", "classification", "standard", "crop", "\x00"),
    *("{'names': 'abc', 'task': 'detect'}", '{"names": {"0": {"a": 1}}, "task": "classify", "imgsz": [1e30, -5]}'),
)
KEYS = (
    *("names", "task", "imgsz", "stride", "metadata.json", "temp_meta.txt", "labels.txt", "b.txt", "\ud800"),
    *(f"model_info.{key}" for key in ("model_type", "labels", "reverse_input_channels", "mean_values", "scale_values")),
    *(f"model_info.{key}" for key in ("resize_type", "pad_value", "confidence_threshold", "iou_threshold")),
)


class FakeBackend:
    """Tensors and metadata as a file may declare them; its outputs are zeros, of the declared shape where that is small."""

    concurrency = 1

    def __init__(self, inputs: list[TensorSpec], outputs: list[TensorSpec], metadata: Mapping[str, str]) -> None:
        self.inputs, self.outputs, self.metadata = tuple(inputs), tuple(outputs), metadata

    def run(self, feeds: Tensors) -> dict[str, Array]:
        return {spec.name: np.zeros([min(abs(size), 3) for size in spec.shape], spec.dtype) for spec in self.outputs}

    def close(self) -> None:
        pass


USUAL = ((1, 3), (1, 1), (1, 84, 7), (1, 300, 6), (1, 6, 84), (1, 84, 85), (1, 1, 9, 7), (1, 896, 16), (1, 896, 1), (-1, 6))


def shape(rng: random.Random) -> tuple[int, ...]:
    if rng.random() < 0.5:
        return rng.choice(USUAL)
    return tuple(rng.choice(SIZES) for _ in range(rng.choice((0, 1, 2, 2, 3, 3, 3, 4, 4, 5))))


def tensor(rng: random.Random, name: str) -> TensorSpec:
    scale = rng.choice((None, None, 1 / 256, 1e-30, 3e38))
    return TensorSpec(name, shape(rng), rng.choice(DTYPES), "", scale, None if scale is None else rng.choice((0, -128, 2**31)))


def image(rng: random.Random) -> TensorSpec:
    side = rng.choice((64, 64, 64, 64, 64, 128, 0, -1, 1, 2**31 - 1))
    sizes = rng.choice(((1, 3, side, 64), (1, side, 64, 3), (-1, 3, -1, -1), (4, 3, 64, 64), (1, 1, 64, side)))
    return TensorSpec("image", sizes, rng.choice(DTYPES), "NCHW" if sizes[1] in (1, 3) else "NHWC", rng.choice((None, 0.01)), 0)


def backend(rng: random.Random) -> FakeBackend:
    metadata = {rng.choice(KEYS): rng.choice(WORDS) for _ in range(rng.choice((0, 0, 0, 1, 2, 4, 8)))}
    if rng.random() < 0.2:
        record = {key: rng.choice((*WORDS, 7, 1e300, None, True, [], {}, [[1]], {"a": 1}, ["a", None])) for key in KEYS[:4]}
        metadata[rng.choice(("metadata.json", "temp_meta.txt"))] = json.dumps(record)
    inputs = [image(rng)] * rng.choice((1, 1, 1, 1, 1, 0, 2))
    outputs = [
        tensor(rng, rng.choice(("scores", "boxes", f"o{index}"))) for index in range(rng.choice((1, 1, 1, 1, 1, 2, 2, 3, 4, 0)))
    ]
    return FakeBackend(inputs, outputs, metadata)


def options(rng: random.Random) -> CardOptions:
    given: dict[str, Any] = {"color": "rgb", "mean": (0.0,), "std": (1.0,)} if rng.random() < 0.6 else {}
    chances = {
        "task": ("classify", "detect", "regress"),
        "decode": ("yolo", "yolox", "softmax", "values", "ssd", "fcos", "fastestdet", "ultraface", "blazeface"),
        "labels": (Path("a"), Path("a,b"), Path(",".join("abcdef"))),
        "size": ((64, 64), (1, 1), (65535, 65535)),
    }
    return CardOptions(**given, **{key: rng.choice(values) for key, values in chances.items() if rng.random() < 0.3})


def outcome(made: FakeBackend, given: CardOptions, path: Path) -> str:
    """The error; "" for a card."""
    try:
        card = card_for(made, path, given)
        assert ModelCard.from_json(card.to_json()).labels == card.labels
        output_warnings(made, card, path)
    except EdgeCnnError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("error")
def test_a_card_or_one_line(seed: int, tmp_path: Path) -> None:
    rng, path = random.Random(seed), tmp_path / "model.onnx"
    cards = 0
    tracemalloc.start()
    for number in range(ROUNDS):
        error = outcome(backend(rng), options(rng), path)
        cards += not error
        assert len(error.encode().splitlines()) <= 1, number
        assert len(error) < 2000, number
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_BYTES
    assert cards >= 5  # some of them are whole
