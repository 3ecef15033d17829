from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.data import open_dataset
from edgecnn.data.pseudo_labels import pseudo_label
from edgecnn.data.relabel import to_classes
from edgecnn.errors import InputError
from edgecnn.shipped import artifact
from edgecnn.teachers import labels_images, open_teachers, parse_teacher


def test_an_address_overrides_the_card_of_the_file() -> None:
    address = parse_teacher(
        "m/t.onnx?threshold=0.4&lower=0.1&rename=car,bus:vehicle&decode=yolox&color=bgr&mean=1,2,3&pad-value=3"
    )
    assert (address.path, address.threshold, address.lower, address.rename) == (Path("m/t.onnx"), 0.4, 0.1, "car,bus:vehicle")
    assert (address.alone, address.weight) == (0.8, 1.0)
    assert parse_teacher("t.onnx?threshold=0.9").alone == 0.9  # never below the threshold
    assert parse_teacher("t.onnx?alone=0.6&weight=2").weight == 2
    assert address.card == {"decode": "yolox", "color": "bgr", "mean": (1.0, 2.0, 3.0), "pad_value": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "t.onnx?treshold=1",
            "'treshold' is not a parameter of a teacher; use one of threshold, lower, alone, weight, rename",
            id="unknown",
        ),
        pytest.param("t.onnx?threshold=high", "'high' is not a value for threshold of t.onnx", id="no number"),
        pytest.param("t.onnx?size=axb", "'axb' is not a value for size of t.onnx", id="no size"),
        pytest.param(
            "t.onnx?threshold=0.1",
            "lower=0.2, threshold=0.1 and alone=0.8 of t.onnx are out of order; choose 0 < lower <= threshold <= alone <= 1",
            id="order",
        ),
        pytest.param("t.onnx?threshold=0.5&alone=0.4", "threshold=0.5 and alone=0.4 of t.onnx are out of order", id="alone"),
        pytest.param("t.onnx?weight=0", "weight=0 of t.onnx is not above 0", id="weight"),
        pytest.param("t.onnx?weight=nan", "weight=nan of t.onnx is not above 0", id="no weight"),
        pytest.param("t.onnx?alone=nan", "alone=nan of t.onnx are out of order", id="no score"),
        pytest.param(
            "t.onnx?lower=high",
            "'high' is not a value for lower of t.onnx",
            id="no lower",
        ),
    ],
)
def test_a_mistake_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_teacher(text)


@pytest.mark.parametrize("command", [("train", "edgedet"), ("data", "convert")])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolox-nano?rename=car:vehicle", "the model yolox-nano is not here yet; get it with edgecnn models get yolox-nano"),
        ("cupss", "the model file cupss does not exist; did you mean cups?"),
    ],
)
def test_a_name_that_is_no_file_is_told(
    command: tuple[str, str], name: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    data = str(tmp_path) if command[0] == "data" else f"--data={tmp_path}"
    found = CliRunner().invoke(main, [*command, data, "--pseudo", name, "--out", str(tmp_path / "out")])
    assert found.exit_code == 2
    assert message in found.stderr.splitlines()[-1]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"), open_teachers([f"{tmp_path}/nowhere.onnx"]):
        pass


def test_what_changes_the_predictions_is_noted() -> None:
    pytest.importorskip("onnxruntime")
    file = artifact(Path("cups"))
    with open_teachers([str(file), f"{file}?iou_threshold=0.3&threshold=0.4"]) as (plain, changed):
        assert (plain.settings, changed.settings) == ({}, {"iou_threshold": 0.3})
        assert plain.key() != changed.key()
        assert plain.labels == changed.labels


@pytest.mark.real_data
def test_a_third_party_detector_labels_vehicles(real_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = real_data / "models/yolox_nano_kazuhito/model/yolox_nano.onnx"
    people = open_dataset(f"{real_data}/coco-subset/instances_val_first128.json?classes=person", limit=40)
    dataset = to_classes(people, ("person", "vehicle"))
    with open_teachers([f"{file}?threshold=0.4&rename=car,bus,truck:vehicle"]) as (teacher,):
        labelled = pseudo_label(dataset, [teacher])
    assert teacher.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert labelled.boxes["vehicle"] >= 3
    assert labelled.dataset.unlabelled == frozenset()


def test_a_teacher_labels_images_where_it_is_a_model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert not labels_images("yolox-nano")
    (tmp_path / "edgecnn" / "models").mkdir(parents=True)
    (tmp_path / "edgecnn" / "models" / "yolox-nano.onnx").touch()
    named = {"yolox-nano?threshold=0.4": True, "a/b.tflite": True, "cups": False, "runs/big/model.safetensors": False}
    assert {name: labels_images(name) for name in named} == named
