"""Configurations of transformers and timm beside a model file say what its card needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import ArtifactError
from tests.contracts.tiny import Graph, write
from tests.runtime.model.model_files import infer_card

NAMES = {"1": "dog", "0": "cat", "2": "owl"}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def classifier(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder, "onnx", Graph({"logits": np.array([[-3.0, 2.0, 9.0]], np.float32)}, shape=(1, 3, 8, 8), dtype="float32"))


def detector(folder: Path, classes: int) -> Path:
    outputs = {"logits": np.full((1, 20, classes), -2.0, np.float32), "pred_boxes": np.full((1, 20, 4), 0.5, np.float32)}
    return write(folder, "onnx", Graph(outputs, shape=(1, 3, 64, 64), dtype="float32"))


def put(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(json.dumps(content))


def processor(**changes: Any) -> dict[str, Any]:
    made = {
        "image_processor_type": "ViTImageProcessor",
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "size": {"height": 8, "width": 8},
    }
    return {**made, **changes}


def test_a_classifier_of_transformers(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model" / "onnx")
    put(
        tmp_path / "model",
        "config.json",
        {"architectures": ["ResNetForImageClassification"], "id2label": {"1": "dog", "0": "cat", "2": "owl"}},
    )
    put(tmp_path / "model", "preprocessor_config.json", processor())
    card = infer_card(path)
    assert (card.task, card.labels, card.decode.name) == ("classify", ("cat", "dog", "owl"), "softmax")
    assert (card.preprocess.color, card.preprocess.resize) == ("rgb", "stretch")
    np.testing.assert_allclose(card.preprocess.mean, [123.675, 116.28, 103.53])
    np.testing.assert_allclose(card.preprocess.std, [58.395, 57.12, 57.375])


@pytest.mark.parametrize(
    ("changes", "mean", "std", "resize"),
    [
        ({"do_normalize": False}, (0.0,), (255.0,), "stretch"),
        ({"do_rescale": False, "do_normalize": False}, (0.0,), (1.0,), "stretch"),
        ({"do_rescale": False, "image_mean": [100.0] * 3, "image_std": [50.0] * 3}, (100.0,) * 3, (50.0,) * 3, "stretch"),
        ({"do_center_crop": True, "crop_size": 8, "do_normalize": False}, (0.0,), (255.0,), "crop"),
        ({"size": {"shortest_edge": 8}, "do_normalize": False}, (0.0,), (255.0,), "crop"),
    ],
)
def test_steps_of_a_processor_that_are_switched_off(
    changes: dict[str, Any], mean: Any, std: Any, resize: str, tmp_path: Path
) -> None:
    path = classifier(tmp_path)
    put(tmp_path, "config.json", {"architectures": ["XForImageClassification"], "id2label": {"0": "a", "1": "b", "2": "c"}})
    put(tmp_path, "preprocessor_config.json", processor(**changes))
    preprocess = infer_card(path).preprocess
    np.testing.assert_allclose(preprocess.mean, mean)
    np.testing.assert_allclose(preprocess.std, std)
    assert preprocess.resize == resize


@pytest.mark.parametrize("extra", [0, 1])
def test_a_detr_of_transformers(extra: int, tmp_path: Path) -> None:
    path = detector(tmp_path, 3 + extra)
    config = {"architectures": ["RTDetrForObjectDetection"], "model_type": "rt_detr", "id2label": {"0": "a", "1": "b", "2": "c"}}
    put(tmp_path, "config.json", config)
    put(tmp_path, "preprocessor_config.json", processor(do_normalize=False, size={"height": 64, "width": 64}))
    card = infer_card(path)
    assert (card.task, card.decode.name, card.labels) == ("detect", "detr", ("a", "b", "c"))
    assert (card.preprocess.mean, card.preprocess.resize) == ((0.0,), "stretch")


def test_a_model_of_timm(tmp_path: Path) -> None:
    path = classifier(tmp_path)
    images = {"mean": MEAN, "std": STD, "input_size": [3, 8, 8], "crop_pct": 0.9}
    put(tmp_path, "config.json", {"architecture": "resnet18", "label_names": ["x", "y", "z"], "pretrained_cfg": images})
    card = infer_card(path)
    assert (card.task, card.labels, card.preprocess.color, card.preprocess.resize) == ("classify", ("x", "y", "z"), "rgb", "crop")
    np.testing.assert_allclose(card.preprocess.std, [58.395, 57.12, 57.375])


def test_options_of_the_user_come_before_the_configuration(tmp_path: Path) -> None:
    path = classifier(tmp_path)
    put(tmp_path, "config.json", {"architectures": ["XForImageClassification"], "id2label": {"0": "a", "1": "b", "2": "c"}})
    put(tmp_path, "preprocessor_config.json", processor())
    assert infer_card(path, labels=Path("k,l,m")).labels == ("k", "l", "m")


def test_a_config_of_another_program_is_ignored(tmp_path: Path) -> None:
    path = classifier(tmp_path)
    put(tmp_path, "config.json", {"port": 80, "labels": ["not", "ours"]})
    assert infer_card(path, task="classify", color="rgb", mean=(0.0,), std=(1.0,)).labels == ("class 0", "class 1", "class 2")


def test_a_broken_configuration_is_one_line(tmp_path: Path) -> None:
    path = classifier(tmp_path)
    put(tmp_path, "preprocessor_config.json", processor(image_mean=["half"] * 3))
    with pytest.raises(ArtifactError, match="metadata in or beside"):
        infer_card(path)
