"""Tiny model files with card, goldens and digests, as `edgecnn export` writes them, made without a training framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.golden import GOLDENS_KEY, Golden, encode, sample_output
from edgecnn.integrity.digest import sealed
from edgecnn.synthetic_inputs import pattern
from edgecnn.types import TensorSpec
from tests.contracts.tiny import Graph, write

LOGITS = np.array([[0.5, -1.0]], np.float32)
FORMATS = ("onnx", "openvino", "tflite")
CARD = ModelCard(
    name="tiny",
    task="classify",
    labels=("warm", "cold"),
    preprocess=Preprocess((8, 8), "stretch", color="bgr", input_dtype="uint8"),
    decode=Decode("softmax"),
    inputs=(TensorSpec("image", (1, 8, 8, 3), "uint8", "NHWC"),),
    outputs=(TensorSpec("logits", (1, 2), "float32"),),
)


def exported(folder: Path, kind: str, name: str = "tiny", logits: np.ndarray = LOGITS) -> Path:
    """A file with right digests; the test is skipped where the engine of the format is not installed."""
    path = bare(folder, kind, name, logits)
    image = pattern("noise", 8, 8)
    output = (logits + image.astype(np.float32).mean()).astype(np.float32)
    golden = Golden("noise", image, {"logits": sample_output(output, 300.0, 100)})
    _, content = sealed(path, CARD, {GOLDENS_KEY: encode([golden])})
    path.write_bytes(content)
    return path


def bare(folder: Path, kind: str, name: str = "tiny", logits: np.ndarray = LOGITS) -> Path:
    """A file without any text of edgecnn."""
    return write(folder, kind, Graph({"logits": logits}), name)
