"""Makes tiny model files of any decoder, and runs the programs that are printed for them."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.runtime.model.description import describe
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.snippets.program import snippet
from edgecnn.types import Image
from tests.contracts import tiny

SIZE = (32, 48)


def file_of(
    folder: Path, task: Any, decode: Decode, labels: tuple[str, ...], outputs: dict[str, Any], gain: float = 1e-4, **pre: Any
) -> Path:
    """A file whose outputs are these arrays plus ``gain`` times the mean of the image."""
    card = ModelCard(
        name="tiny",
        task=task,
        labels=labels,
        preprocess=Preprocess(**{"size": SIZE, "color": "bgr", "input_dtype": "uint8", **pre}),
        decode=decode,
    )
    size, channels = card.preprocess.size, card.preprocess.channels
    graph = tiny.Graph(
        {name: np.asarray(array, np.float32) for name, array in outputs.items()},
        shape=(1, *size, channels),
        gain=gain,
        metadata={"edgecnn.card": card.to_json()},
    )
    return tiny.write(folder, "onnx", graph)


def printed(file: Path, argument: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each line that the program for ``file`` prints."""
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "argv", ["program.py", str(argument)])
    text = snippet(describe(file), "python")
    assert "edgecnn." not in text.replace("'edgecnn.card'", "")
    with redirect_stdout(io.StringIO()) as output:
        exec(compile(text, "program.py", "exec"), {"__name__": "__main__"})
    return [line.split() for line in output.getvalue().splitlines()]


def picture_of(folder: Path, height: int = 50, width: int = 61) -> tuple[Path, Image]:
    path = folder / "picture.png"
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    cv2.imwrite(str(path), image)
    return path, image


def predicted(file: Path, image: Image) -> Any:
    with Predictor(file) as predictor:
        return predictor(image)
