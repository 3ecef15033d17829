from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, EdgeCnnError, InputError
from edgecnn.labels import COCO_80
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Detections, TensorSpec, Values
from tests.contracts.tiny import Graph, write

SIZE = 64
CELLS = 64 + 16 + 4
NAMES = {0: "person", 1: "it's a dog", 2: "traffic light"}
IMAGE = np.zeros((100, 200, 3), np.uint8)


def infer_card(path: Path, **options: Any) -> ModelCard:
    backend = open_backend(path)
    try:
        return card_for(backend, path, CardOptions(**options))
    finally:
        backend.close()


def card(**changes: Any) -> ModelCard:
    made = ModelCard(
        name="tiny", task="classify", labels=("a", "b", "c"), preprocess=Preprocess((8, 8)).folded(), decode=Decode("softmax")
    )
    return made.replace(**changes)


def with_card(folder: Path, made: ModelCard, kind: str = "onnx", outputs: int = 3) -> Path:
    graph = Graph({"logits": np.arange(outputs, dtype=np.float32)[None]}, metadata={CARD_KEY: made.to_json()})
    return write(folder, kind, graph)


# --- a card of its own ---------------------------------------------------------------------------


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


# --- what Ultralytics writes ---------------------------------------------------------------------


def ultralytics(**changes: Any) -> dict[str, Any]:
    record = {
        "description": "Ultralytics YOLO model trained on x.yaml",
        "author": "Ultralytics",
        "date": "2026-01-01T00:00:00",
        "version": "8.3.0",
        "stride": 32,
        "task": "detect",
        "batch": 1,
        "imgsz": [SIZE, SIZE],
        "names": NAMES,
        "args": {"batch": 1, "half": False, "dynamic": False, "nms": False},
        "channels": 3,
    }
    return {**record, **changes}


def scalar(item: Any) -> str:
    quoted = str(item).replace("'", "''")
    return f"'{quoted}'" if "'" in str(item) else str(item).lower() if isinstance(item, bool) else str(item)


def as_yaml(record: dict[str, Any]) -> str:
    lines = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {scalar(item)}" for name, item in value.items())]
        elif isinstance(value, list):
            lines += [f"{key}:", *(f"- {item}" for item in value)]
        else:
            lines.append(f"{key}: {value}" if key != "date" else f"{key}: '{value}'")
    return "\n".join(lines) + "\n"


def yolo_output(layout: str, unit: float) -> np.ndarray:
    """One box of class 2 at centre (32, 24), 16 wide and 8 high, with score 0.72."""
    box = np.array([32, 24, 16, 8], np.float32) / unit
    if layout == "end2end":
        out = np.zeros((1, 300, 6), np.float32)
        out[0, 0] = [24 / unit, 20 / unit, 40 / unit, 28 / unit, 0.72, 2]
        return out
    count = CELLS * (3 if layout == "objectness" else 1)
    out = np.zeros((1, count, 8 if layout == "objectness" else 7), np.float32)
    out[0, :, :2] = 40 / unit  # the other cells look elsewhere
    out[0, 9, :4] = box
    out[0, 9, 4:] = [0.9, 0.1, 0.1, 0.8] if layout == "objectness" else [0.1, 0.1, 0.72]
    return out if layout == "objectness" else np.ascontiguousarray(out.transpose(0, 2, 1))


def yolo(folder: Path, kind: str, layout: str, record: dict[str, Any], *, place: str = "") -> Path:
    shape = (1, SIZE, SIZE, 3) if kind == "tflite" else (1, 3, SIZE, SIZE)
    metadata = {"onnx": {key: str(value) for key, value in record.items()}, "tflite": {place: json.dumps(record)}}.get(kind, {})
    if place == "temp_meta.txt":
        metadata = {place: str(record)}
    graph = Graph(
        {"output0": yolo_output(layout, SIZE if kind == "tflite" else 1)}, shape, "float32", 0.0, metadata, input_name="images"
    )
    if kind == "openvino":
        (folder / "metadata.yaml").write_text(as_yaml(record))
    return write(folder, kind, graph, "yolo")


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


# --- what OpenVINO's Model API writes ------------------------------------------------------------


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


# --- recognised by shape -------------------------------------------------------------------------

ODD = {f"o{place}": np.zeros(shape, np.float32) for place, shape in enumerate([(1, 10, 4), (1, 10), (1, 10), (1,)])}
PRIORS = 8 * 8 * 3 + 4 * 4 * 2 + 2 * 2 * 2 + 3


@pytest.mark.parametrize(
    ("outputs", "decoder", "color", "std", "options", "labels"),
    [
        pytest.param({"o": np.zeros((1, CELLS, 85))}, "yolox", "bgr", 1.0, {}, COCO_80, id="yolox-coco"),
        pytest.param({"o": np.zeros((1, CELLS, 7))}, "yolox", "bgr", 1.0, {"labels": Path("a,b")}, ("a", "b"), id="yolox-2"),
        pytest.param({"o": np.zeros((1, 84, CELLS))}, "yolo", "rgb", 255.0, {}, COCO_80, id="yolo-coco"),
        pytest.param({"o": np.zeros((1, 3 * CELLS, 85))}, "yolo", "rgb", 255.0, {}, COCO_80, id="yolov5-coco"),
        pytest.param({"o": np.zeros((1, 85, 4, 4))}, "fastestdet", "bgr", 255.0, {}, COCO_80, id="fastestdet"),
        pytest.param(
            {"s": np.zeros((1, PRIORS, 2)), "b": np.zeros((1, PRIORS, 4))},
            "ultraface",
            "rgb",
            128.0,
            {},
            ("face",),
            id="ultraface",
        ),
        pytest.param({"o": np.zeros((1, 1, 200, 7))}, "ssd", "bgr", 1.0, {"labels": Path("face")}, ("face",), id="ssd-openvino"),
        pytest.param(ODD, "ssd", "rgb", 127.5, {"labels": Path("???,cat,dog")}, ("cat", "dog"), id="ssd-without-background"),
    ],
)
def test_detectors_are_recognised_by_their_shapes(
    outputs: dict[str, np.ndarray],
    decoder: str,
    color: str,
    std: float,
    options: dict[str, Any],
    labels: tuple[str, ...],
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "onnx", Graph(outputs, (1, 3, SIZE, SIZE), "float32"))
    found = infer_card(path, **options)
    assert (found.task, found.decode.name, found.labels) == ("detect", decoder, labels)
    assert (found.preprocess.color, found.preprocess.std) == (color, (std,))


@pytest.mark.parametrize(
    ("outputs", "shape", "options", "missing"),
    [
        pytest.param({"o": np.zeros((1, 10))}, (1, 3, 8, 8), {}, ["--decode", "--labels"], id="who-knows"),
        pytest.param(
            {"o": np.zeros((1, 10))}, (1, 3, 8, 8), {"task": "classify"}, ["--color", "--mean", "--std"], id="classifier"
        ),
        pytest.param(
            {"o": np.zeros((1, 10))}, (1, 3, 8, 8), {"task": "classify", "color": "rgb"}, ["--mean", "--std"], id="scale"
        ),
        pytest.param({"o": np.zeros((1, 84, CELLS))}, (1, 3, -1, -1), {}, ["--size"], id="size"),
        pytest.param({"o": np.zeros((1, 1, 9, 7))}, (1, 3, 8, 8), {}, ["--labels"], id="labels"),
    ],
)
def test_what_is_missing_is_named(
    outputs: dict[str, np.ndarray], shape: tuple[int, ...], options: dict[str, Any], missing: list[str], tmp_path: Path
) -> None:
    path = write(tmp_path, "onnx", Graph(outputs, shape, "float32"))
    with pytest.raises(InputError) as caught:
        infer_card(path, **options)
    assert "\n" not in str(caught.value)
    assert [word.strip(",") for word in str(caught.value).split() if word.startswith("--")] == missing or all(
        name in str(caught.value) for name in missing
    )


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_an_end_to_end_detector_of_few_rows(rows: int, tmp_path: Path) -> None:
    table = np.zeros((1, rows, 6), np.float32)
    table[0, 0] = [8, 8, 24, 24, 0.9, 1]
    metadata = {key: str(value) for key, value in ultralytics(names={0: "cat", 1: "dog"}).items()}
    path = write(tmp_path, "onnx", Graph({"output0": table}, (1, 3, SIZE, SIZE), "float32", 0.0, metadata))
    with Predictor(path) as predictor:
        found = predictor(np.zeros((SIZE, SIZE, 3), np.uint8))
    assert isinstance(found, Detections)
    assert (found.class_id.tolist(), found.xyxy.tolist()) == ([1], [[8, 8, 24, 24]])


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        pytest.param((1, CELLS, 5), {}, ("yolo", 1), id="rows-1"),
        pytest.param((1, CELLS, 6), {"labels": Path("a,b")}, ("yolo", 2), id="rows-2"),
        pytest.param((1, CELLS, 6), {"labels": Path("a")}, ("yolox", 1), id="yolox-1"),
        pytest.param((1, CELLS, 7), {"labels": Path("a,b,c")}, ("yolo", 3), id="rows-3"),
        pytest.param((1, CELLS, 6), {}, "can mean 2 or 1 classes; give them with --labels", id="rows-2-unnamed"),
        pytest.param((1, CELLS, 7), {"decode": "yolo"}, "can mean 3 or 2 classes; give them with --labels", id="rows-3-unnamed"),
        pytest.param((1, 56, CELLS), {}, "can mean 52 classes; give them with --labels", id="key-points"),
        pytest.param((1, 7, CELLS), {"decode": "yolo"}, ("yolo", 3), id="columns-decoder-given"),
        pytest.param(
            (1, CELLS, 7), {"labels": Path("a"), "decode": "yolo"}, "3 or 2 classes, but there is 1 class name", id="wrong"
        ),
        pytest.param(
            (1, 5, CELLS), {"labels": Path("a,b"), "decode": "yolo"}, "have 1 class, but there are 2", id="wrong-columns"
        ),
        pytest.param((30, 6), {"labels": Path("a,b")}, ("yolo", 2), id="without-batch"),
        pytest.param((30, 6), {}, "no class names for this detector; give them with --labels", id="without-batch-unnamed"),
        pytest.param((1, 6), {"labels": Path("a,b,c,d,e,f")}, ("softmax", 6), id="six-scores"),
        pytest.param(
            (1, 1, 6), {"labels": Path("a,b,c,d,e,f")}, "one box or six scores; give --decode yolo or --task", id="either"
        ),
    ],
)
def test_tables_of_boxes(
    shape: tuple[int, ...], options: dict[str, Any], expected: tuple[str, int] | str, tmp_path: Path
) -> None:
    """The labels decide where a shape has several readings; without them it is refused."""
    path = write(tmp_path, "onnx", Graph({"o": np.zeros(shape)}, (1, 3, SIZE, SIZE), "float32"))
    options = {"color": "rgb", "mean": (0.0,), "std": (1.0,), **options}
    if isinstance(expected, str):
        with pytest.raises(EdgeCnnError, match=expected):
            infer_card(path, **options)
        return
    found = infer_card(path, **options)
    assert (found.decode.name, len(found.labels)) == expected


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        pytest.param([(1, 1, 17, 3)], "key points of one person", id="movenet"),
        pytest.param([(1, 6, 56)], "key points of several people", id="movenet-multipose"),
        pytest.param([(1, 64, 64, 21)], "a map of values, as segmentation", id="deeplab"),
        pytest.param([(1, 21, 65, 65)], "a map of values, as segmentation", id="deeplab-nchw"),
        pytest.param([(1, 1, 1, 1404), (1, 1, 1, 1)], "landmarks", id="face-landmarks"),
        pytest.param([(1, 63), (1, 1), (1, 1), (1, 63)], "landmarks", id="hand-landmarks"),
        pytest.param([(1, 2016, 18), (1, 2016, 1)], "boxes with key points at anchors", id="palm"),
        pytest.param([(1, 1917, 4), (1, 1917, 91)], "box offsets and class scores at anchors", id="ssd-raw"),
        pytest.param([(100, 4), (100,), (100,)], "torchvision or MMDetection", id="torchvision"),
        pytest.param([(1, 100, 5), (1, 100)], "torchvision or MMDetection", id="mmdetection"),
        pytest.param([(1, 255, 8, 8), (1, 255, 4, 4), (1, 255, 2, 2)], "grids of a detector", id="heads"),
    ],
)
def test_models_of_other_tasks_are_refused_by_name(shapes: list[tuple[int, ...]], kind: str, tmp_path: Path) -> None:
    outputs = {f"o{place}": np.zeros(shape) for place, shape in enumerate(shapes)}
    path = write(tmp_path, "onnx", Graph(outputs, (1, 3, SIZE, SIZE), "float32"))
    with pytest.raises(InputError, match=f"gives .*{kind}.*; edgecnn has no decoder for it; use a detector"):
        infer_card(path)


@pytest.mark.parametrize(
    ("shapes", "shape", "options", "match"),
    [
        pytest.param(
            [(4, 3)],
            (4, 3, 8, 8),
            {"task": "classify"},
            "takes batches of 4 images; export it with a batch size of 1",
            id="batch",
        ),
        pytest.param([(1, 2), (1, 2)], (1, 3, 8, 8), {"task": "regress"}, "no single output of values.*--labels", id="values"),
        pytest.param([(1, 2)], (1, 3, 8, 8), {}, "perhaps 2 classes or values; give --labels, or --task", id="classes-or-values"),
        pytest.param(
            [(1, 2)], (1, 3, 8, 8), {"labels": Path("a,b,c")}, "perhaps 2 values; give --task .* 2 names", id="other-labels"
        ),
        pytest.param([(1, 2), (1, 3)], (1, 3, 8, 8), {"decode": "softmax"}, "no class names for this classifier", id="two-heads"),
        pytest.param([(1, 3)], (1, 3, 100_000, 100_000), {"task": "classify"}, "takes images of 100000x100000 pixels", id="huge"),
        pytest.param([(1, 13, 4, 4)], (1, 3, SIZE, SIZE), {}, "give --decode, --labels", id="fastestdet-unnamed"),
    ],
)
def test_hints_name_the_option_that_helps(
    shapes: list[tuple[int, ...]], shape: tuple[int, ...], options: dict[str, Any], match: str, tmp_path: Path
) -> None:
    outputs = {f"o{place}": np.zeros(one) for place, one in enumerate(shapes)}
    path = write(tmp_path, "onnx", Graph(outputs, shape, "float32"))
    with pytest.raises(InputError, match=match):
        infer_card(path, **{"color": "rgb", "mean": (0.0,), "std": (1.0,), **options})


def test_a_card_for_batches_is_refused(tmp_path: Path) -> None:
    graph = Graph({"logits": np.arange(3, dtype=np.float32)[None]}, (4, 8, 8, 3), metadata={CARD_KEY: card().to_json()})
    with pytest.raises(ArtifactError, match="takes batches of 4 images; export it with a batch size of 1"):
        infer_card(write(tmp_path, "onnx", graph))


@pytest.mark.parametrize("size", [(128, 896), (256, 896), (192, 2304)], ids=["short-range", "back-camera", "full-range"])
def test_a_blazeface_runs_without_any_option(size: tuple[int, int], tmp_path: Path) -> None:
    side, count = size
    boxes, scores = np.zeros((1, count, 16), np.float32), np.full((1, count, 1), -100, np.float32)
    stride = 4 if count == 2304 else side // 16  # of the first cells
    boxes[0, 0, :4], scores[0, 0] = [40, 50, 10, 20], 2
    graph = Graph({"regressors": boxes, "classificators": scores}, (1, 3, side, side), "float32", 0.0)
    with Predictor(write(tmp_path, "onnx", graph)) as predictor:
        found, made = predictor(np.zeros((side, side, 3), np.uint8)), predictor.card
    assert (made.decode.name, made.labels, made.preprocess.mean, made.preprocess.pad_value) == (
        "blazeface",
        ("face",),
        (127.5,),
        0,
    )
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.score, [1 / (1 + np.exp(-2))], rtol=1e-5)
    centre = stride / 2
    np.testing.assert_allclose(found.xyxy, [[centre + 35, centre + 40, centre + 45, centre + 60]], atol=1e-3)


def test_a_model_without_an_image_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one image input"):
        infer_card(write(tmp_path, "onnx", Graph({"o": np.zeros((1, 3))}, (1, 16), "float32")))


@pytest.mark.parametrize(
    ("scores", "decoder"),
    [pytest.param([0.2, 0.5, 0.3], "probabilities", id="probabilities"), pytest.param([-1.0, 3.0, 0.5], "softmax", id="logits")],
)
def test_a_classifier_is_asked_what_its_scores_are(scores: list[float], decoder: str, tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"o": np.array([scores])}, (1, 3, 8, 8), "float32", 0.0))
    found = infer_card(path, labels=Path("a,b,c"), color="rgb", mean=(0.0,), std=(255.0,))
    assert (found.task, found.decode.name) == ("classify", decoder)


def scores_of_1000(total: float) -> np.ndarray:
    scores = np.full((1, 1000), 0.0015)  # below half a step of 1/256 each
    scores[0, 7] = total
    return scores


@pytest.mark.parametrize(
    ("scores", "gain", "quantized", "decoder"),
    [
        pytest.param(scores_of_1000(0.7), 0.0, (1 / 256, -128), "probabilities", id="rounded-to-a-sum-of-0.7"),
        pytest.param(np.array([[-4.0, 0.0]]), 0.0, (16 / 256, 127), "softmax", id="log-softmax"),
        pytest.param(np.array([[0.2, 0.8]]), 0.0, (0.1, 0), "softmax", id="logits"),
        pytest.param(np.array([[0.9, 0.8, 0.1]]), 0.0, None, "probabilities", id="sigmoid"),
        pytest.param(np.array([[-0.5, 1.5]]), 0.0, None, "softmax", id="logits-with-a-sum-of-1"),
        pytest.param(np.array([[0.3, 0.7]]), 0.1, None, "softmax", id="logits-in-0-to-1-for-black-only"),
        pytest.param(np.array([[-2.3, -0.1]]), 0.0, None, "softmax", id="log-softmax-float"),
    ],
)
@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_probabilities_are_known_by_range_or_values(
    scores: np.ndarray, gain: float, quantized: tuple[float, int] | None, decoder: str, kind: str, tmp_path: Path
) -> None:
    shape = (1, 8, 8, 3) if kind == "tflite" else (1, 3, 8, 8)
    graph = Graph({"o": scores}, shape, "float32", gain, quantized={} if quantized is None else {"o": quantized})
    labels = Path(",".join(f"n{index}" for index in range(scores.shape[1])))
    found = infer_card(write(tmp_path, kind, graph), task="classify", labels=labels, color="rgb", mean=(0.0,), std=(255.0,))
    assert found.decode.name == decoder


def test_scores_without_a_value_are_no_probabilities(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"o": np.zeros((0, 3))}, (1, 3, 8, 8), "float32"))
    assert infer_card(path, task="classify", color="rgb", mean=(0.0,), std=(1.0,)).decode.name == "softmax"


def test_classes_without_names_get_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"o": np.zeros((1, 3))}, (1, 1, 8, 8), "float32"))
    found = infer_card(path, task="classify", mean=(0.0,), std=(1.0,))
    assert found.labels == ("class 0", "class 1", "class 2")
    assert found.preprocess.color == "gray"


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


# --- a model of values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        pytest.param({"task": "regress"}, ("value",), id="task"),
        pytest.param({"decode": "values", "labels": Path("angle")}, ("angle",), id="decoder-and-name"),
    ],
)
def test_values_of_a_foreign_model(options: dict[str, Any], labels: tuple[str, ...], tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"out": np.array([[7.5]], np.float32)}))
    with Predictor(path, options=CardOptions(color="rgb", mean=(0.0,), std=(1.0,), **options)) as predictor:
        assert (predictor.card.task, predictor.card.labels) == ("regress", labels)
        found = predictor(IMAGE)
    assert isinstance(found, Values)
    assert found.value.tolist() == [7.5]


def test_a_card_of_values_needs_a_name_for_each(tmp_path: Path) -> None:
    made = card(task="regress", labels=("a", "b"), decode=Decode("values"))
    with pytest.raises(ArtifactError, match=r"have 3 classes, but there are 2 class names; correct --labels"):
        infer_card(with_card(tmp_path, made))
