"""What other tools write into a file or beside it: Ultralytics, OpenVINO's Model API, label files of TFLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edgecnn.card import Preprocess
from edgecnn.errors import ArtifactError, InputError
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Detections
from tests.contracts.tiny import Graph, write
from tests.runtime.model.model_files import (
    IMAGE,
    NAMES,
    SIZE,
    as_yaml,
    infer_card,
    ultralytics,
    yolo,
    yolo_output,
)


@pytest.mark.parametrize("layout", ["columns", "objectness", "end2end"])
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        pytest.param("onnx", "", id="onnx-properties"),
        pytest.param("openvino", "", id="yaml-beside-an-ir"),
        pytest.param("tflite", "metadata.json", id="tflite-json"),
        pytest.param("tflite", "temp_meta.txt", id="tflite-text"),
    ],
)
def test_a_yolo_runs_without_any_option(layout: str, kind: str, place: str, tmp_path: Path) -> None:
    path = yolo(tmp_path, kind, layout, ultralytics(), place=place)
    with Predictor(path) as predictor:
        found = predictor(IMAGE)
        made = predictor.card
    assert made.task == "detect"
    assert made.labels == tuple(NAMES.values())
    assert (made.preprocess.color, made.preprocess.std, made.preprocess.resize) == ("rgb", (255.0,), "letterbox")
    assert isinstance(found, Detections)
    assert found.class_id.tolist() == [2]
    np.testing.assert_allclose(found.score, [0.72], rtol=1e-5)
    np.testing.assert_allclose(found.xyxy, [[75, 12.5, 125, 37.5]], atol=1e-3)  # the image is letterboxed: 200 x 100 to 64 x 32


def test_imgsz_gives_the_size_of_a_free_input(tmp_path: Path) -> None:
    graph = Graph(
        {"output0": yolo_output("columns", 1)},
        (1, 3, -1, -1),
        "float32",
        0.0,
        {key: str(value) for key, value in ultralytics().items()},
    )
    assert infer_card(write(tmp_path, "onnx", graph)).preprocess.size == (SIZE, SIZE)


def test_a_yolo_classifier(tmp_path: Path) -> None:
    record = ultralytics(task="classify", imgsz=[8, 8])
    graph = Graph(
        {"output0": np.array([[0.1, 0.7, 0.2]], np.float32)}, (1, 3, 8, 8), "float32", 0.0, {k: str(v) for k, v in record.items()}
    )
    found = infer_card(write(tmp_path, "onnx", graph))
    assert (found.task, found.decode.name, found.preprocess.resize) == ("classify", "probabilities", "crop")


def test_a_task_that_is_not_known(tmp_path: Path) -> None:
    path = yolo(tmp_path, "onnx", "columns", ultralytics(task="segment"))
    with pytest.raises(ArtifactError, match="segment"):
        infer_card(path)


def test_names_that_do_not_fit_the_outputs(tmp_path: Path) -> None:
    path = yolo(tmp_path, "onnx", "columns", ultralytics(names={0: "a", 1: "b"}))
    with pytest.raises(ArtifactError, match="class names"):
        infer_card(path)


def test_metadata_beside_another_model_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("title: holiday pictures\nnames:\n")
    path = write(tmp_path, "openvino", Graph({"x": np.zeros((1, 3), np.float32)}, (1, 3, 8, 8), "float32"))
    with pytest.raises(InputError, match="--decode"):
        infer_card(path)


def test_the_yaml_that_ultralytics_writes() -> None:
    record = ultralytics()
    assert yaml.safe_load("# comment\n\n" + as_yaml(record)) == record


def test_model_info(tmp_path: Path) -> None:
    metadata = {
        "model_info.model_type": "ssd",
        "model_info.labels": "face traffic_light",
        "model_info.reverse_input_channels": "YES",
        "model_info.mean_values": "123.675 116.28 103.53",
        "model_info.scale_values": "58.395 57.12 57.375",
        "model_info.resize_type": "fit_to_window_letterbox",
        "model_info.pad_value": "7",
        "model_info.confidence_threshold": "0.4",
    }
    rows = np.array([[[[0, 1, 0.9, 0, 0, 0.5, 0.5]] * 3]], np.float32)
    path = write(tmp_path, "openvino", Graph({"detection_out": rows}, (1, 3, 8, 8), "float32", 0.0, metadata))
    found = infer_card(path)
    assert found.labels == ("face", "traffic light")
    assert found.preprocess == Preprocess(
        (8, 8), "letterbox", "center", 7, "rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    )
    assert (found.decode.name, found.decode.options["score_threshold"]) == ("ssd", 0.4)


def test_a_yolo_ir_without_its_yaml_has_model_info(tmp_path: Path) -> None:
    metadata = {
        "model_info.model_type": "YOLO",
        "model_info.reverse_input_channels": "YES",
        "model_info.pad_value": "114",
        "model_info.scale_values": "255",
        "model_info.iou_threshold": "0.7",
        "model_info.labels": "person dog traffic_light",
        "model_info.resize_type": "fit_to_window_letterbox",
    }
    graph = Graph({"output0": yolo_output("columns", 1)}, (1, 3, SIZE, SIZE), "float32", 0.0, metadata)
    with Predictor(write(tmp_path, "openvino", graph)) as predictor:
        found = predictor(IMAGE)
        made = predictor.card
    assert (made.labels[2], made.preprocess.color, made.preprocess.std) == ("traffic light", "rgb", (255.0,))
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.xyxy, [[75, 12.5, 125, 37.5]], atol=1e-3)


def test_labels_in_the_zip_of_a_tflite(tmp_path: Path) -> None:
    graph = Graph(
        {"p": np.array([[0.1, 0.9]], np.float32)},
        gain=0.0,
        metadata={"labels.txt": "cat\ndog\n"},
        quantized={"p": (1 / 256, -128)},
    )
    found = infer_card(write(tmp_path, "tflite", graph))
    assert (found.task, found.labels, found.decode.name) == ("classify", ("cat", "dog"), "probabilities")
    assert (found.preprocess.color, found.preprocess.is_raw) == ("rgb", True)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"names": {"a": "b"}}, id="names-by-text"),
        pytest.param({"names": 7}, id="names-a-number"),
        pytest.param({"names": "abc"}, id="names-a-text"),
        pytest.param({"names": {0: {"a": 1}}}, id="names-nested"),
        pytest.param({"names": {0: "\x1b"}}, id="names-not-printable"),
        pytest.param({"imgsz": [64, -64]}, id="imgsz-negative"),
        pytest.param({"imgsz": 1e30}, id="imgsz-no-integer"),
        pytest.param({"imgsz": "large"}, id="imgsz"),
    ],
)
def test_metadata_that_can_not_be_read(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        infer_card(yolo(tmp_path, "onnx", "columns", ultralytics(**changes)))
    assert "\n" not in str(caught.value)


def test_names_as_a_text_inside_of_json(tmp_path: Path) -> None:
    path = yolo(tmp_path, "tflite", "columns", ultralytics(names=str(NAMES), imgsz=[SIZE]), place="metadata.json")
    assert infer_card(path).labels == tuple(NAMES.values())


def test_labels_are_one_line(tmp_path: Path) -> None:
    path = yolo(tmp_path, "onnx", "columns", ultralytics(names={0: "a\nb", 1: "\x1b[31mred", 2: " c\t"}))
    assert infer_card(path).labels == ("a b", "[31mred", "c")


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        pytest.param({"scale_values": "0"}, "a scale of 0", id="scale"),
        pytest.param({"mean_values": "nan 0 0"}, "mean", id="mean"),
        pytest.param({"pad_value": "300"}, "pad_value", id="pad"),
        pytest.param({"confidence_threshold": "7"}, "score_threshold", id="threshold"),
        pytest.param({"labels": "[1"}, "neither a list", id="labels"),
    ],
)
def test_model_info_that_can_not_be(entry: dict[str, str], match: str, tmp_path: Path) -> None:
    metadata = {f"model_info.{key}": value for key, value in {"model_type": "ssd", "labels": "a b", **entry}.items()}
    path = write(tmp_path, "onnx", Graph({"o": np.zeros((1, 1, 3, 7))}, (1, 3, 8, 8), "float32", 0.0, metadata))
    with pytest.raises(ArtifactError, match=f"metadata in or beside .* is not readable .*{match}"):
        infer_card(path)


def test_model_info_with_a_list_of_labels(tmp_path: Path) -> None:
    metadata = {"model_info.model_type": "ssd", "model_info.labels": "['traffic light', 'dog']"}
    path = write(tmp_path, "onnx", Graph({"o": np.zeros((1, 1, 3, 7))}, (1, 3, 8, 8), "float32", 0.0, metadata))
    assert infer_card(path).labels == ("traffic light", "dog")


def test_a_label_file_with_a_mark_and_blank_lines(tmp_path: Path) -> None:
    graph = Graph({"p": np.array([[0.1, 0.9]])}, gain=0.0, metadata={"labels.txt": "\ufeffcat\r\n\r\ndog\n\n"})
    assert infer_card(write(tmp_path, "tflite", graph)).labels == ("cat", "dog")
