"""The card of a file: read, changed by options, compared with the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, Decode, Preprocess
from edgecnn.errors import ArtifactError, EdgeCnnError, InputError
from edgecnn.types import TensorSpec
from tests.contracts.tiny import Graph, write
from tests.runtime.model.model_files import (
    card,
    infer_card,
    with_card,
)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_its_own_card_comes_first(kind: str, tmp_path: Path) -> None:
    found = infer_card(with_card(tmp_path, card(), kind))
    assert found.replace(inputs=(), outputs=()) == card()
    assert [spec.name for spec in found.inputs] == ["image"]
    assert [spec.name for spec in found.outputs] == ["logits"]


def test_options_win_over_the_card(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("x\ny\nz\n\n")
    found = infer_card(with_card(tmp_path, card()), labels=labels, resize="crop", mean=(1.0, 2.0, 3.0), decode="probabilities")
    assert found.labels == ("x", "y", "z")
    assert (found.preprocess.resize, found.preprocess.mean, found.decode.name) == ("crop", (1.0, 2.0, 3.0), "probabilities")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param({"labels": ("a", "b")}, "have 3 classes, but there are 2 class names; correct --labels", id="labels"),
        pytest.param({"preprocess": Preprocess((8, 9)).folded()}, "8x9 pixels", id="size"),
        pytest.param({"preprocess": Preprocess((8, 8), color="gray").folded()}, "1 channels", id="channels"),
        pytest.param(
            {"inputs": (TensorSpec("x", (1, 8, 8, 3), "uint8", "NHWC"),)},
            "inputs of .* are image uint8 1x8x8x3, but its card says x uint8",
            id="input-name",
        ),
        pytest.param(
            {"inputs": (TensorSpec("image", (1, 8, 8, 3), "float32", "NHWC"),)},
            "are image uint8 1x8x8x3, but its card says image float32",
            id="input-dtype",
        ),
        pytest.param(
            {"outputs": (TensorSpec("logits", (1, 4), "float32"),)},
            "outputs of .* are logits float32 1x3, but its card says logits float32 1x4",
            id="output-shape",
        ),
        pytest.param({"outputs": (TensorSpec("boxes", (1, 3), "float32"),)}, "but its card says boxes", id="output-name"),
    ],
)
def test_a_card_that_does_not_fit_its_model(changes: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=match) as caught:
        infer_card(with_card(tmp_path, card(**changes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [("logits",), ("logits", "boxes"), ("logits", "boxes", "extra")], ids=len)
def test_a_card_names_exactly_the_outputs_of_its_model(names: tuple[str, ...], tmp_path: Path) -> None:
    """Neither an output too few nor one too many passes."""
    declared = tuple(TensorSpec(name, (1, 3), "float32") for name in names)
    values = np.arange(3, dtype=np.float32)[None]
    graph = Graph({"logits": values, "boxes": values}, metadata={CARD_KEY: card(outputs=declared).to_json()})
    path = write(tmp_path, "onnx", graph)
    if names == ("logits", "boxes"):
        assert infer_card(path).outputs == declared
        return
    with pytest.raises(ArtifactError, match=f"but its card says {', '.join(f'{name} float32 1x3' for name in names)};"):
        infer_card(path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no-json"),
        pytest.param("[]", id="list"),
        pytest.param('{"version": 1}', id="fields-missing"),
        pytest.param('{"version": 99}', id="newer"),
        pytest.param(card().to_json().replace('"classify"', '"dance"'), id="task"),
        pytest.param(card().to_json().replace('"bgr"', '"cmyk"'), id="colour"),
    ],
)
def test_a_card_that_can_not_be_read(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"logits": np.zeros((1, 3), np.float32)}, metadata={CARD_KEY: text}))
    with pytest.raises(ArtifactError) as caught:
        infer_card(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_decoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="yolox"):
        infer_card(with_card(tmp_path, card()), decode="magic")
    with pytest.raises(InputError, match="yolox"):
        infer_card(with_card(tmp_path, card(decode=Decode("magic"))))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        pytest.param("missing.txt", r"--labels: can't read .*missing\.txt: no such file", id="missing"),
        pytest.param("empty.txt", r"--labels: .*empty\.txt is empty", id="empty"),
        pytest.param("binary.txt", "UTF-8", id="binary"),
        pytest.param("only,two", "but there are 2 class names", id="too-few"),
    ],
)
def test_labels_that_are_wrong(given: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary.txt").write_bytes(b"\x80\x81")
    path = with_card(tmp_path, card())
    with pytest.raises(EdgeCnnError, match=match) as caught:
        infer_card(path, labels=tmp_path / given if given.endswith(".txt") else Path(given))
    assert "--labels" in str(caught.value)


def test_a_file_for_batches_keeps_its_card(tmp_path: Path) -> None:
    outputs = {"logits": np.tile(np.arange(3, dtype=np.float32), (4, 1))}
    graph = Graph(outputs, (4, 8, 8, 3), metadata={CARD_KEY: card().to_json()})
    assert infer_card(write(tmp_path, "onnx", graph)).outputs[0].shape == (4, 3)


def test_a_card_of_values_needs_a_name_for_each(tmp_path: Path) -> None:
    made = card(task="regress", labels=("a", "b"), decode=Decode("values"))
    with pytest.raises(ArtifactError, match=r"have 3 classes, but there are 2 class names; correct --labels"):
        infer_card(with_card(tmp_path, made))
