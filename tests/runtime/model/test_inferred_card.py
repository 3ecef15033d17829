"""Files without a card: recognised by the shapes and values of their outputs, or refused by the option that helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import EdgeCnnError, InputError
from edgecnn.labels import COCO_80
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Detections, Values
from tests.contracts.tiny import Graph, write
from tests.runtime.model.model_files import (
    CELLS,
    IMAGE,
    SIZE,
    infer_card,
    ultralytics,
)

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
        pytest.param([(1, 254, 8, 8), (1, 254, 4, 4), (1, 254, 2, 2)], "grids of a detector", id="heads"),
    ],
)
def test_models_of_other_tasks_are_refused_by_name(shapes: list[tuple[int, ...]], kind: str, tmp_path: Path) -> None:
    outputs = {f"o{place}": np.zeros(shape) for place, shape in enumerate(shapes)}
    path = write(tmp_path, "onnx", Graph(outputs, (1, 3, SIZE, SIZE), "float32"))
    with pytest.raises(
        InputError, match=f"gives .*{kind}.*; edgecnn has no decoder for it; name a decoder with --decode, or give --task raw"
    ):
        infer_card(path)


def test_any_outputs_are_raw_tensors_where_the_task_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"o": np.zeros((1, 6, 56))}, (1, 3, SIZE, SIZE), "float32"))
    card = infer_card(path, task="raw", color="rgb", mean=(0.0,), std=(255.0,))
    assert (card.task, card.decode.name, card.labels) == ("raw", "raw", ())


@pytest.mark.parametrize(
    ("shapes", "shape", "options", "match"),
    [
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
