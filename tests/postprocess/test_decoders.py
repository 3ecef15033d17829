from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, InputError
from edgecnn.postprocess import DECODERS, decode, names
from edgecnn.postprocess.ultraface import priors
from edgecnn.types import Classes, Detections, LabelScores, RawTensors, TensorSpec, Values

SIZE = (64, 96)  # height, width
STRIDES = (8, 16, 32)
CELLS = [(stride, row, column) for stride in STRIDES for row in range(SIZE[0] // stride) for column in range(SIZE[1] // stride)]
LABELS = ("a", "b", "c")
EVERYTHING = {"score_threshold": 0.0, "iou_threshold": 1.0, "max_detections": 10_000}

Boxes = list[tuple[float, int, tuple[float, float, float, float]]]  # score, class, corners


def card(decoder: str, labels: tuple[str, ...] = LABELS, size: tuple[int, int] = SIZE, **options: Any) -> ModelCard:
    task: Any = {"softmax": "classify", "logits": "classify", "probabilities": "classify", "values": "regress"}.get(
        decoder, "detect"
    )
    return ModelCard(
        name="t", task=task, labels=labels, preprocess=Preprocess(size), decode=Decode(decoder, {**EVERYTHING, **options})
    )


def found(prediction: object) -> Detections:
    assert isinstance(prediction, Detections)
    return prediction


def check(prediction: object, expected: Boxes) -> None:
    """The same boxes in the order of their scores; scores must differ."""
    detections = found(prediction)
    expected = sorted(expected, key=lambda box: -box[0])[: len(detections)]
    assert len(detections) == min(len(expected), 1000)
    np.testing.assert_allclose(detections.score, [box[0] for box in expected], rtol=1e-4)
    assert detections.class_id.tolist() == [box[1] for box in expected]
    np.testing.assert_allclose(detections.xyxy, [box[2] for box in expected], rtol=1e-3, atol=1e-3)


def around(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def uniform(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def test_fcos() -> None:
    sides, scores = uniform(0, 1, len(CELLS), 4) * 3, uniform(1, 1, len(CELLS), 3)
    expected: Boxes = []
    for index, (stride, row, column) in enumerate(CELLS):
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        left, top, right, bottom = (float(side) * stride for side in sides[0, index])
        best = max(range(3), key=lambda c: scores[0, index, c])
        expected.append((float(scores[0, index, best]), best, (x - left, y - top, x + right, y + bottom)))
    check(decode({"boxes": sides, "scores": scores}, card("fcos")), expected)


def test_yolox() -> None:
    raw = np.random.default_rng(2).normal(0, 0.7, (1, len(CELLS), 8)).astype(np.float32)
    raw[..., 4:] = uniform(3, 1, len(CELLS), 4)
    expected: Boxes = []
    for (stride, row, column), values in zip(CELLS, raw[0].tolist(), strict=True):
        score, best = max((values[4] * values[5 + c], c) for c in range(3))
        box = around(
            (values[0] + column) * stride, (values[1] + row) * stride, math.exp(values[2]) * stride, math.exp(values[3]) * stride
        )
        expected.append((score, best, box))
    check(decode({"output": raw}, card("yolox")), expected)


@pytest.mark.parametrize("layout", ["columns", "rows", "objectness"])
@pytest.mark.parametrize("unit", [pytest.param("pixels", id="pixels"), pytest.param("fraction", id="fraction-of-the-input")])
def test_yolo_dense(layout: str, unit: str) -> None:
    count = len(CELLS) * (3 if layout == "objectness" else 1)
    centre, size = uniform(4, count, 2) * [96, 64], uniform(5, count, 2) * 30 + 1
    objectness, scores = uniform(6, count, 1), uniform(7, count, 3)
    if layout != "objectness":
        objectness = np.ones_like(objectness)
    expected: Boxes = []
    for index in range(count):
        score, best = max((float(scores[index, c] * objectness[index, 0]), c) for c in range(3))
        expected.append((score, best, around(*centre[index], *size[index])))
    scale = np.array([96, 64, 96, 64]) if unit == "fraction" else np.ones(4)
    parts = [np.concatenate([centre, size], axis=1) / scale, *([objectness] if layout == "objectness" else []), scores]
    table = np.concatenate(parts, axis=1).astype(np.float32)
    output = table.T[None] if layout == "columns" else table[None]
    check(decode({"output0": np.ascontiguousarray(output)}, card("yolo")), expected)


@pytest.mark.parametrize("unit", [pytest.param(1, id="pixels"), pytest.param(96, id="fraction-of-the-input")])
def test_yolo_end_to_end(unit: int) -> None:
    rows = [[10, 20, 30, 40, 0.9, 2], [11, 20, 30, 40, 0.8, 2], [1, 2, 3, 4, 0.3, 0], [0, 0, 0, 0, 0, 0]]
    output = np.array([rows], np.float32)
    output[..., :4] /= [unit, 64 if unit > 1 else 1] * 2
    check(
        decode({"output0": output}, card("yolo", score_threshold=0.1)),
        [(0.9, 2, (10, 20, 30, 40)), (0.8, 2, (11, 20, 30, 40)), (0.3, 0, (1, 2, 3, 4))],
    )


def test_one_class_makes_six_columns_mean_two_things() -> None:
    dense = np.zeros((1, 3 * len(CELLS), 6), np.float32)
    dense[0, 5] = [50, 40, 20, 10, 0.5, 0.8]
    check(decode({"o": dense}, card("yolo", ("a",), score_threshold=0.1)), [(0.4, 0, (40, 35, 60, 45))])
    few = np.zeros((1, 300, 6), np.float32)
    few[0, 5] = [50, 40, 60, 50, 0.5, 0]
    check(decode({"o": few}, card("yolo", ("a",), score_threshold=0.1)), [(0.5, 0, (50, 40, 60, 50))])


def test_blazeface() -> None:
    """128 x 128 pixels: two anchors in each cell of stride 8, then six in each of stride 16."""
    places = [(x, y, 8) for y in range(16) for x in range(16) for _ in range(2)]
    places += [(x, y, 16) for y in range(8) for x in range(8) for _ in range(6)]
    raw, logits = np.random.default_rng(0).normal(0, 9, (1, 896, 16)).astype(np.float32), uniform(1, 1, 896, 1) * 8 - 4
    raw[..., 2:4] = np.abs(raw[..., 2:4])
    expected: Boxes = []
    for (x, y, stride), values, logit in zip(places, raw[0].tolist(), logits[0, :, 0].tolist(), strict=True):
        centre = ((x + 0.5) * stride + values[0], (y + 0.5) * stride + values[1])
        expected.append((1 / (1 + math.exp(-logit)), 0, around(*centre, values[2], values[3])))
    made = card("blazeface", ("face",), (128, 128))
    check(decode({"classificators": logits, "regressors": raw}, made), expected)
    extreme = np.where(logits > 0, np.float32(1e9), np.float32(-1e9))
    assert set(found(decode({"c": extreme, "r": raw}, made)).score.round(6).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param([(1, 896, 16)], id="no-scores"),
        pytest.param([(1, 895, 16), (1, 895, 1)], id="other-number"),
        pytest.param([(1, 896, 18), (1, 896, 1)], id="palm"),
        pytest.param([(1, 896, 16), (1, 896, 1), (1, 1)], id="three"),
    ],
)
def test_what_is_no_blazeface(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ArtifactError, match="blazeface needs"):
        decode({str(i): np.zeros(shape, np.float32) for i, shape in enumerate(shapes)}, card("blazeface", ("face",), (128, 128)))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 1, 3), (0, 2, 3, 1)], ids=str)
def test_ssd_of_tflite(order: tuple[int, ...]) -> None:
    boxes = np.array([[[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1], [0.5, 0.5, 0.7, 0.9]]], np.float32)
    parts = [boxes, np.array([[2, 0, 1]], np.float32), np.array([[0.9, 0.7, 0.6]], np.float32), np.array([2], np.float32)]
    outputs = {f"out:{place}": parts[place] for place in order}
    expected: Boxes = [(0.9, 2, (0.2 * 96, 0.1 * 64, 0.6 * 96, 0.5 * 64)), (0.7, 0, (0, 0, 96, 64))]
    check(decode(outputs, card("ssd")), expected)


def test_ssd_of_openvino() -> None:
    rows = [[0, 1, 0.9, 0.1, 0.2, 0.3, 0.4], [0, 3, 0.8, 0, 0, 1, 1], [-1, 0, 0, 0, 0, 0, 0], [0, 2, 0.7, 0, 0, 1, 1]]
    expected: Boxes = [(0.9, 0, (9.6, 12.8, 28.8, 25.6)), (0.8, 2, (0, 0, 96, 64))]
    check(decode({"detection_out": np.array([[rows]], np.float32)}, card("ssd")), expected)
    from_zero = np.array([[[[0, 0, 0.9, 0.1, 0.2, 0.3, 0.4]]]], np.float32)
    check(decode({"detection_out": from_zero}, card("ssd", first_class=0)), expected[:1])
    check(decode({"detection_out": from_zero}, card("ssd", ("face",))), expected[:1])


def test_ssd_with_a_class_that_has_no_label() -> None:
    row = np.array([[[[0, 4, 0.9, 0.1, 0.2, 0.3, 0.4]]]], np.float32)
    with pytest.raises(ArtifactError, match="class 3"):
        decode({"detection_out": row}, card("ssd"))


def face_priors(size: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    height, width = size
    out = []
    for stride, boxes in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
        for row in range(math.ceil(height / stride)):
            for column in range(math.ceil(width / stride)):
                for box in boxes:
                    values = ((column + 0.5) * stride / width, (row + 0.5) * stride / height, box / width, box / height)
                    out.append(tuple(min(max(value, 0), 1) for value in values))
    return out


def test_ultraface_priors_of_the_published_model() -> None:
    assert priors((240, 320)).shape == (4420, 4)
    np.testing.assert_allclose(priors((240, 320)), face_priors((240, 320)), rtol=1e-5)


@pytest.mark.parametrize("kind", ["raw", "corners", "raw-logits"])
def test_ultraface(kind: str) -> None:
    size = (96, 128)
    anchors = face_priors(size)
    offsets = np.random.default_rng(8).normal(size=(1, len(anchors), 4)).astype(np.float32)
    face = uniform(9, 1, len(anchors))
    scores = np.stack([1 - face, face], axis=2)
    expected: Boxes = []
    for score, (dx, dy, dw, dh), (x, y, width, height) in zip(face[0].tolist(), offsets[0].tolist(), anchors, strict=True):
        box = around(x + dx * 0.1 * width, y + dy * 0.1 * height, width * math.exp(dw * 0.2), height * math.exp(dh * 0.2))
        expected.append((score, 0, tuple(edge * (128, 96, 128, 96)[place] for place, edge in enumerate(box))))
    boxes = offsets
    if kind == "corners":
        boxes = np.array([[box[2] for box in expected]], np.float32) / [128, 96, 128, 96]
    if kind == "raw-logits":
        scores = np.log(scores) + 5
    outputs = {"scores": scores.astype(np.float32), "boxes": boxes.astype(np.float32)}
    check(decode(outputs, card("ultraface", ("face",), size)), expected)


def test_fastestdet() -> None:
    raw = np.random.default_rng(10).normal(size=(1, 8, 4, 6)).astype(np.float32)
    raw[0, 0], raw[0, 5:] = uniform(11, 4, 6), uniform(12, 3, 4, 6)
    expected: Boxes = []
    for row in range(4):
        for column in range(6):
            values = raw[0, :, row, column].tolist()
            best = max(range(3), key=lambda c: values[5 + c])
            x, y = (column + math.tanh(values[1])) * 16, (row + math.tanh(values[2])) * 16
            box = around(x, y, 96 / (1 + math.exp(-values[3])), 64 / (1 + math.exp(-values[4])))
            expected.append((values[0] ** 0.6 * values[5 + best] ** 0.4, best, box))
    check(decode({"758": raw}, card("fastestdet")), expected)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1), (1, 1, 1, 3), (3,)], ids=str)
def test_classes(shape: tuple[int, ...]) -> None:
    logits = np.array([1.0, 3.0, 2.0], np.float32)
    powers = [math.exp(value) for value in (1, 3, 2)]
    for name in ("softmax", "logits"):
        prediction = decode({"logits": logits.reshape(shape)}, card(name))
        assert isinstance(prediction, Classes)
        np.testing.assert_allclose(prediction.score, [power / sum(powers) for power in powers], rtol=1e-6)
    prediction = decode({"p": logits.reshape(shape)}, card("probabilities"))
    assert isinstance(prediction, Classes)
    np.testing.assert_array_equal(prediction.score, logits)


def test_class_scores_are_found_among_other_outputs() -> None:
    outputs = {"features": np.zeros((1, 64), np.float32), "scores": np.array([[0, 1, 0]], np.float32)}
    prediction = decode(outputs, card("probabilities"))
    assert isinstance(prediction, Classes)
    assert prediction.top1 == 1


def test_large_logits_do_not_overflow() -> None:
    prediction = decode({"x": np.array([[1e4, 0, -1e4]], np.float32)}, card("softmax"))
    assert isinstance(prediction, Classes)
    np.testing.assert_allclose(prediction.score, [1, 0, 0])


def test_labels_have_scores_of_their_own() -> None:
    made = card("sigmoid").replace(decode=Decode("sigmoid", {"label_threshold": 0.6}))
    found = decode({"logits": np.float32([[0, 2, -1000]])}, made)
    assert isinstance(found, LabelScores)
    np.testing.assert_allclose(found.score, [0.5, 1 / (1 + np.exp(-2)), 0], rtol=1e-6)
    assert found.chosen.tolist() == [False, True, False]
    given = decode({"p": np.float32([[[[0.5]], [[0.25]], [[1]]]])}, card("label-scores"))
    assert isinstance(given, LabelScores)
    assert (given.score.tolist(), given.threshold) == ([0.5, 0.25, 1.0], 0.5)


def test_raw_tensors_are_copies() -> None:
    output = np.zeros((1, 2), np.float32)
    found = decode({"o": output}, card("raw"))
    assert isinstance(found, RawTensors)
    output[0] = 7
    assert found.tensors["o"].tolist() == [[0, 0]]


def test_quantized_outputs_become_real_numbers_first() -> None:
    made = card("probabilities").replace(outputs=(TensorSpec("p", (1, 3), "int8", scale=1 / 256, zero_point=-128),))
    prediction = decode({"p": np.array([[-128, 0, 127]], np.int8)}, made)
    assert isinstance(prediction, Classes)
    np.testing.assert_allclose(prediction.score, [0, 0.5, 255 / 256])


@pytest.mark.parametrize("decoder", sorted(set(DECODERS) - {"raw"}))
def test_outputs_that_do_not_fit_are_named(decoder: str) -> None:
    outputs = {"odd": np.zeros((1, 5, 7, 2), np.float32), "other": np.zeros((1, 9), np.float32)}
    with pytest.raises(ArtifactError, match=r"odd \(1, 5, 7, 2\)") as caught:
        decode(outputs, card(decoder))
    assert decoder in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_decoder_lists_them_all() -> None:
    with pytest.raises(InputError, match="yolov99") as caught:
        decode({}, card("fcos").replace(decode=Decode("yolov99")))
    assert all(name in str(caught.value) for name in names())


@pytest.mark.parametrize(
    ("decoder", "outputs"),
    [
        pytest.param("fcos", {"boxes": np.ones((1, len(CELLS), 4)), "scores": np.zeros((1, len(CELLS), 3))}, id="fcos"),
        pytest.param("yolox", {"o": np.zeros((1, len(CELLS), 8))}, id="yolox"),
        pytest.param("yolo", {"o": np.zeros((1, 7, len(CELLS)))}, id="yolo"),
        pytest.param("yolo", {"o": np.zeros((1, 300, 6))}, id="yolo-end2end"),
        pytest.param("ssd", {"o": np.zeros((1, 1, 200, 7))}, id="ssd"),
        pytest.param("fastestdet", {"o": np.zeros((1, 8, 4, 6))}, id="fastestdet"),
    ],
)
def test_an_empty_frame_gives_no_boxes(decoder: str, outputs: dict[str, np.ndarray]) -> None:
    found32 = {name: array.astype(np.float32) for name, array in outputs.items()}
    assert len(found(decode(found32, card(decoder, score_threshold=0.25)))) == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [-1.0, 0.5, 2.0], id="as-they-are"),
        pytest.param({"scale": [2.0, 10.0, 1.0], "offset": [1.0, 0.0, 300.0]}, [-1.0, 5.0, 302.0], id="scaled-and-moved"),
    ],
)
@pytest.mark.parametrize("shape", [pytest.param((1, 3), id="row"), pytest.param((1, 3, 1, 1), id="map")])
def test_values(options: dict[str, Any], expected: list[float], shape: tuple[int, ...]) -> None:
    outputs = {"values": np.float32([-1, 0.5, 2]).reshape(shape)}
    prediction = decode(outputs, card("values", **options))
    assert isinstance(prediction, Values)
    assert prediction.value.tolist() == expected


def test_quantized_values_become_real_first() -> None:
    spec = TensorSpec("values", (1, 1), "int8", scale=0.5, zero_point=-10)
    made = card("values", ("level",), scale=[100.0], offset=[5.0]).replace(outputs=(spec,))
    prediction = decode({"values": np.int8([[-8]])}, made)
    assert isinstance(prediction, Values)
    assert prediction.value.tolist() == [105.0]


def test_values_of_another_number_are_refused() -> None:
    with pytest.raises(ArtifactError, match="one row of 3 values"):
        decode({"out": np.zeros((1, 2), np.float32)}, card("values"))


@pytest.mark.parametrize(
    ("outputs", "fix"),
    [
        pytest.param({"a": (1, 2), "b": (1, 1)}, "correct --labels, or export it with one output", id="no-output-fits"),
        pytest.param({"a": (1, 3), "b": (1, 3)}, "export it with one output", id="two-outputs-fit"),
    ],
)
def test_values_of_several_outputs_name_what_helps(outputs: dict[str, tuple[int, ...]], fix: str) -> None:
    with pytest.raises(ArtifactError, match="needs one row of 3 values") as caught:
        decode({name: np.zeros(shape, np.float32) for name, shape in outputs.items()}, card("values"))
    assert caught.value.fix.startswith(fix)
