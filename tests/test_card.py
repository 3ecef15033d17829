"""The card survives its JSON, refuses what is wrong, and folds preprocessing."""

from __future__ import annotations

import json
import math
from typing import Any

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


def changed(**fields: Any) -> str:
    """The JSON of the card with other fields; "a__b" is the field b of a."""
    record = json.loads(card().to_json())
    for name, value in fields.items():
        *outer, last = name.split("__")
        place = record
        for key in outer:
            place = place[key]
        place[last] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("{", "it is not JSON: .*", id="not-json"),
        pytest.param("[" * 100_000, "it is nested too deeply", id="deep-json"),
        pytest.param("[]", "it is a list, not an object", id="not-an-object"),
        pytest.param("{}", "version is missing", id="no-version"),
        pytest.param(changed(version=True), "version is true, not a whole number from 1 to 1", id="version-true"),
        pytest.param(changed(task="dance"), r"task is 'dance', not one of classify, detect, .*", id="unknown-task"),
        pytest.param(changed(extra=1), "extra is not a known field", id="unknown-field"),
        pytest.param(changed(preprocess__size=[-3, 8]), r"preprocess\.size\[0\] is -3, not a whole number .*", id="size"),
        pytest.param(changed(preprocess__size=[8]), r"preprocess\.size has 1 items, not 2", id="one-size"),
        pytest.param(changed(preprocess__size=8), r"preprocess\.size is 8, not a list", id="size-number"),
        pytest.param(changed(preprocess__mean=[[1]]), r"preprocess\.mean\[0\] is a list, not a finite number", id="list-in-list"),
        pytest.param(changed(preprocess__std=[math.nan]), r"preprocess\.std\[0\] is nan, not a finite number", id="nan"),
        pytest.param(changed(preprocess__mean=[10**400]), r"preprocess\.mean\[0\] is a huge number, .*", id="huge"),
        pytest.param(
            changed(preprocess__color=["rgb"]), r"preprocess\.color is a list, not one of rgb, bgr, gray", id="color-list"
        ),
        pytest.param(changed(labels=["mug", 7]), r"labels\[1\] is 7, not a text", id="label-number"),
        pytest.param(changed(labels="mug"), "labels is 'mug', not a list", id="labels-text"),
        pytest.param(changed(labels=["\ud800"]), r"labels\[0\] has half a character .*", id="label-surrogate"),
        pytest.param(changed(inputs=[[]]), r"inputs\[0\] is a list, not an object", id="spec-list"),
        pytest.param(changed(outputs=[{"name": "a", "shape": [1]}]), r"outputs\[0\]\.dtype is missing", id="spec-without-dtype"),
        pytest.param(
            changed(parity={"passed": True, "real_inputs": "a", "rows": [{"outputs": {}}]}),
            r"parity\.rows\[0\]\.outputs has 0 entries, not 1 to 64",
            id="parity-without-outputs",
        ),
        pytest.param(changed(decode__options=[]), r"decode\.options is a list, not an object", id="options-list"),
        pytest.param(changed(decode__options__strides=[0]), r"decode\.options\.strides\[0\] is 0, not .*", id="stride-zero"),
        pytest.param(changed(decode__options__max_detections=-1), r"decode\.options\.max_detections is -1, .*", id="count"),
    ],
)
def test_broken_card_is_one_line_that_names_file_and_field(text: str, problem: str) -> None:
    with pytest.raises(ArtifactError, match=rf"^the model card in x\.onnx: {problem}; export the model again$") as error:
        ModelCard.from_json(text, "x.onnx")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(changed(preprocess__size=[65535, 65535]), id="pixels"),
        pytest.param(changed(preprocess__mean=[1.0, 2.0]), id="two-means"),
        pytest.param(changed(preprocess__std=[0]), id="std-zero"),
    ],
)
def test_values_that_do_not_fit_each_other_are_one_line(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"^the model card in x\.onnx can't be used \(.*\); export the model again$"):
        ModelCard.from_json(text, "x.onnx")


def test_every_field_has_a_check() -> None:
    """A card with all fields is read, so that a new field without a line in the schema is noticed."""
    spec = TensorSpec("image", (1, 8, 8, 3), "uint8", "NHWC", 0.5, 3)
    full = ModelCard(
        name="a",
        task="classify",
        labels=("x",),
        preprocess=Preprocess((8, 8)),
        decode=Decode("values", {"scale": [1.0], "offset": [0.0]}),
        inputs=(spec,),
        outputs=(spec,),
    )
    assert ModelCard.from_json(full.to_json()) == full


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
def test_wrong_preprocess_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Preprocess(**{"size": (8, 8), **change})
