"""Goldens re-run by an engine, without torch: right file, damaged file, file without goldens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.golden import GOLDENS_KEY, Golden, encode, sample_output
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.selftest import selftest
from edgecnn.synthetic_inputs import pattern
from edgecnn.types import Classes, TensorSpec

onnx = pytest.importorskip("onnx")

SIZE = (8, 12)
WEIGHTS = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, 0.25]], np.float32)  # logits of 2 classes from the mean of 3 channels


def make(path: Path, weights: np.ndarray, *, goldens: bool = True, tolerance_factor: float = 1.0) -> Path:
    """An ONNX classifier of the mean colour with ``weights``, whose goldens are those of ``WEIGHTS``."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weights"], ["logits"], transB=1, alpha=1 / 255),
    ]
    constants = [numpy_helper.from_array(np.array([1, 2]), "axes"), numpy_helper.from_array(weights, "weights")]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, *SIZE, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph(nodes, "colour", [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    card = ModelCard(
        name="colour",
        task="classify",
        labels=("warm", "cold"),
        preprocess=Preprocess(SIZE, "stretch", color="bgr", input_dtype="uint8"),
        decode=Decode("softmax"),
        inputs=(TensorSpec("image", (1, *SIZE, 3), "uint8", "NHWC"),),
        outputs=(TensorSpec("logits", (1, 2), "float32"),),
    )
    texts = {CARD_KEY: card.to_json()} | ({GOLDENS_KEY: encode(golden_inputs(tolerance_factor))} if goldens else {})
    helper.set_model_props(model, texts)
    onnx.save(model, path)
    return path


def golden_inputs(tolerance_factor: float) -> list[Golden]:
    images = {"real": pattern("gradient", *SIZE), "noise": pattern("noise", *SIZE)}
    goldens = []
    for kind, image in images.items():
        logits = (WEIGHTS @ image.mean((0, 1)) / 255)[None].astype(np.float32)
        powers = np.exp(logits[0] - logits.max())
        goldens.append(
            Golden(kind, image, {"logits": sample_output(logits, 3.0, 100)}, Classes(powers / powers.sum()), tolerance_factor)
        )
    return goldens


def run(path: Path) -> list[Any]:
    backend = open_backend(path)
    try:
        return selftest(backend, card_for(backend, path, CardOptions()), path).rows
    finally:
        backend.close()


def test_a_whole_file_passes(tmp_path: Path) -> None:
    rows = run(make(tmp_path / "right.onnx", WEIGHTS))
    assert [(row.kind, row.violations) for row in rows] == [("real", ()), ("noise", ())]
    assert rows[0].agree == 1.0


def test_other_numbers_fail(tmp_path: Path) -> None:
    rows = run(make(tmp_path / "wrong.onnx", WEIGHTS * 1.01))
    assert any("largest error" in violation for row in rows for violation in row.violations)


def test_another_label_fails(tmp_path: Path) -> None:
    (row, _) = run(make(tmp_path / "wrong.onnx", -WEIGHTS))
    assert any("agree" in violation for violation in row.violations)


def test_slack_of_the_export_is_granted(tmp_path: Path) -> None:
    rows = run(make(tmp_path / "rough.onnx", WEIGHTS * 1.001, tolerance_factor=1000.0))
    assert not [violation for row in rows for violation in row.violations]


def test_a_file_without_goldens_says_so(tmp_path: Path) -> None:
    path = make(tmp_path / "bare.onnx", WEIGHTS, goldens=False)
    with pytest.raises(ArtifactError, match=r"bare\.onnx holds no goldens"):
        run(path)
