"""The card survives its JSON, refuses what is wrong, and folds preprocessing."""

from __future__ import annotations

import json

import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.types import TensorSpec


def card() -> ModelCard:
    return ModelCard(
        name="cups",
        task="detect",
        labels=("mug", "glass"),
        preprocess=Preprocess((256, 320), color="rgb", mean=(1.0, 2.0, 3.0), std=(255.0,)),
        decode=Decode("fcos", {"strides": [8, 16, 32], "score_threshold": 0.3}),
        inputs=(TensorSpec("image", (1, 256, 320, 3), "uint8", "NHWC"),),
        outputs=(TensorSpec("scores", (1, 1680, 2), "float32"),),
        training={"seed": 1},
    )


def test_json_round_trip_gives_the_same_card() -> None:
    assert ModelCard.from_json(card().to_json()) == card()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not-json"),
        pytest.param("[]", id="not-an-object"),
        pytest.param("{}", id="no-version"),
        pytest.param(json.dumps({**json.loads(card().to_json()), "task": "dance"}), id="unknown-task"),
        pytest.param(json.dumps({**json.loads(card().to_json()), "extra": 1}), id="unknown-field"),
    ],
)
def test_broken_card_is_one_line_that_names_the_file(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"^the model card in x\.onnx can't be read \(.*\); export the model again$") as error:
        ModelCard.from_json(text, "x.onnx")
    assert "\n" not in str(error.value)


def test_newer_card_says_its_version() -> None:
    text = json.dumps({**json.loads(card().to_json()), "version": 99})
    with pytest.raises(ArtifactError, match="version 99"):
        ModelCard.from_json(text)


def test_folded_preprocess_leaves_only_the_resize() -> None:
    folded = card().preprocess.folded()
    assert (folded.color, folded.is_raw, folded.input_dtype) == ("bgr", True, "uint8")
    assert (folded.size, folded.resize, folded.pad_value) == ((256, 320), "letterbox", 114)
    assert Preprocess((28, 28), color="gray").folded().color == "gray"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"resize": "squash"}, "'squash' is not a resize rule; use one of letterbox, stretch, crop", id="resize"),
        pytest.param({"color": "yuv"}, "'yuv' is not a colour order; use one of rgb, bgr, gray", id="color"),
        pytest.param({"std": (0.0,)}, r"std \(0.0,\) do not fit 3 channels", id="std-zero"),
        pytest.param({"mean": (0.0, 0.0)}, r"mean \(0.0, 0.0\) and .* do not fit 3 channels", id="two-means"),
        pytest.param({"size": (0, 10)}, r"size \(0, 10\) is not \(height, width\) above zero", id="size"),
    ],
)
def test_wrong_preprocess_is_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Preprocess(**{"size": (8, 8), **change})  # type: ignore[arg-type]
