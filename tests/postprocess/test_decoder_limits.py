"""Decoders at their limits: shapes that nearly fit, scores at the threshold, inputs that no stride divides, options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess import decode
from edgecnn.postprocess.cells import cell_count, cells, grid
from edgecnn.postprocess.tensors import dequantize, first_image, unexpected_outputs
from edgecnn.postprocess.yolo import class_counts, layout_of
from edgecnn.types import Detections, TensorSpec

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3
PRIORS = 96 * 3 + 24 * 2 + 6 * 2 + 2 * 3


def card(decoder: str, labels: int = 3, size: tuple[int, int] = SIZE, **options: Any) -> ModelCard:
    names = tuple("abcdef"[:labels])
    return ModelCard(name="t", task="detect", labels=names, preprocess=Preprocess(size), decode=Decode(decoder, options))


def boxes(outputs: dict[str, np.ndarray], made: ModelCard) -> Detections:
    prediction = decode(outputs, made)
    assert isinstance(prediction, Detections)
    return prediction


def test_cells_of_a_size_that_the_stride_does_not_divide() -> None:
    assert grid((17, 30), 16).tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert grid((17, 30), 16).dtype == np.float32
    assert cell_count((17, 30), (8, 16)) == 3 * 4 + 2 * 2
    assert cell_count((16, 32), (8,)) == 8
    corners, strides = cells((17, 30), (16, 32))
    assert corners.tolist() == [[0, 0], [16, 0], [0, 16], [16, 16], [0, 0]]
    assert strides.ravel().tolist() == [16, 16, 16, 16, 32]


@pytest.mark.parametrize(
    ("decoder", "shapes"),
    [
        pytest.param("yolox", [(1, CELLS)], id="yolox-two-axes"),
        pytest.param("yolox", [(1, CELLS + 1, 8)], id="yolox-another-number-of-cells"),
        pytest.param("yolox", [(1, CELLS, 5)], id="yolox-without-classes"),
        pytest.param("yolox", [(1, CELLS, 8), (1, 1)], id="yolox-two-outputs"),
        pytest.param("fastestdet", [(1, 8, 24)], id="fastestdet-three-axes"),
        pytest.param("fastestdet", [(1, 5, 4, 6)], id="fastestdet-without-classes"),
        pytest.param("fastestdet", [(1, 8, 4, 5)], id="fastestdet-another-number-of-cells"),
        pytest.param("fastestdet", [(1, 8, 4, 6), (1, 1)], id="fastestdet-two-outputs"),
        pytest.param("ultraface", [(1, PRIORS, 2), (1, PRIORS + 1, 4)], id="ultraface-boxes"),
        pytest.param("ultraface", [(1, PRIORS + 1, 2), (1, PRIORS, 4)], id="ultraface-scores"),
        pytest.param("ultraface", [(1, PRIORS, 2), (1, PRIORS, 4), (1, 1)], id="ultraface-three-outputs"),
        pytest.param("yolo", [(1, 7, CELLS), (1, 1)], id="yolo-two-outputs"),
        pytest.param("yolo", [(7, CELLS)], id="yolo-two-axes"),
        pytest.param("yolo", [(1, 9, CELLS)], id="yolo-another-number-of-classes"),
        pytest.param("ssd", [(1, 1, 5, 6)], id="ssd-six-columns"),
        pytest.param("ssd", [(1, 5, 7)], id="ssd-three-axes"),
        pytest.param("ssd", [(1, 1, 5, 7), (1, 1)], id="ssd-two-outputs"),
        pytest.param("ssd", [(1, 5, 4), (1, 5), (1, 5), (1, 5)], id="ssd-three-lists"),
        pytest.param("ssd", [(1, 5, 4), (1, 5), (1, 5), (1, 5, 4)], id="ssd-boxes-twice"),
        pytest.param("ssd", [(1, 5, 4), (1, 5), (1, 5), (5,)], id="ssd-without-count"),
    ],
)
def test_outputs_that_nearly_fit_are_refused(decoder: str, shapes: list[tuple[int, ...]]) -> None:
    outputs = {f"out{at}": np.zeros(shape, np.float32) for at, shape in enumerate(shapes)}
    described = ", ".join(f"out{at} {shape}" for at, shape in enumerate(shapes))
    with pytest.raises(ArtifactError) as caught:
        decode(outputs, card(decoder, 1 if decoder == "ultraface" else 3))
    assert caught.value.problem.startswith(f"the decoder {decoder} needs ")
    assert caught.value.problem.endswith(f", but the model's outputs are {described}")


@pytest.mark.parametrize("missing", ["boxes", "scores", "neither"])
def test_fcos_needs_both_outputs(missing: str) -> None:
    outputs = {"boxes": np.zeros((1, CELLS, 4), np.float32), "scores": np.zeros((1, CELLS, 3), np.float32)}
    outputs[missing] = np.zeros((1, 3, 3), np.float32)
    if missing == "neither":
        del outputs["boxes"], outputs["scores"]
    with pytest.raises(ArtifactError, match=rf"needs boxes \(1, {CELLS}, 4\) and scores \(1, {CELLS}, classes\)"):
        decode(outputs, card("fcos"))
    del outputs[missing]
    with pytest.raises(ArtifactError, match="the decoder fcos needs"):
        decode(outputs, card("fcos"))


def test_outputs_are_listed_in_the_error() -> None:
    error = unexpected_outputs("yolo", "one output", {"a": np.zeros((1, 2)), "b": np.zeros(3)})
    assert error.problem == "the decoder yolo needs one output, but the model's outputs are a (1, 2), b (3,)"
    assert unexpected_outputs("yolo", "one output", {}).problem.endswith("the model's outputs are empty")


@pytest.mark.parametrize("decoder", ["yolox", "fcos"])
def test_strides_are_an_option(decoder: str) -> None:
    cells_of_32 = np.zeros((1, 6, 7 if decoder == "yolox" else 2), np.float32)
    if decoder == "yolox":
        cells_of_32[0, 4] = [0.5, 0.5, 0, 0, 1, 0, 0.5]
        outputs = {"o": cells_of_32}
    else:
        cells_of_32[0, 4, 1] = 0.5
        outputs = {"boxes": np.full((1, 6, 4), 0.5, np.float32), "scores": cells_of_32}
    found = boxes(outputs, card(decoder, 2, strides=[32]))
    assert (found.score.tolist(), found.class_id.tolist()) == ([0.5], [1])
    assert found.xyxy.tolist() == [[32, 32, 64, 64]]


THRESHOLD = 0.25


def at_the_threshold(decoder: str) -> dict[str, np.ndarray]:
    """One box whose score is exactly 0.25, all others below."""
    if decoder == "yolox":
        table = np.zeros((1, CELLS, 8), np.float32)
        table[0, 3, 4:6] = [0.25, 1]
        return {"o": table}
    if decoder == "fcos":
        scores = np.zeros((1, CELLS, 3), np.float32)
        scores[0, 3, 0] = 0.25
        return {"boxes": np.ones((1, CELLS, 4), np.float32), "scores": scores}
    if decoder == "yolo-objectness":
        table = np.zeros((1, CELLS, 8), np.float32)
        table[0, 3] = [50, 40, 20, 10, 0.25, 1, 0, 0]
        return {"o": table}
    if decoder == "yolo":
        return {"o": np.float32([[[50, 40, 60, 50, 0.25, 0], [50, 40, 60, 50, 0.2, 0]]])}
    if decoder == "ssd":
        return {"o": np.float32([[[[0, 1, 0.25, 0, 0, 1, 1], [0, 1, 0.2, 0, 0, 1, 1]]]])}
    scores = np.tile(np.float32([1, 0]), (1, PRIORS, 1))
    scores[0, 3] = [0.75, 0.25]
    return {"scores": scores, "boxes": np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (1, PRIORS, 1))}


@pytest.mark.parametrize("decoder", ["yolox", "fcos", "yolo-objectness", "yolo", "ssd", "ultraface"])
def test_a_score_at_the_threshold_is_a_detection(decoder: str) -> None:
    made = card(decoder.partition("-")[0], 1 if decoder == "ultraface" else 3, score_threshold=THRESHOLD)
    assert boxes(at_the_threshold(decoder), made).score.tolist() == [0.25]


@pytest.mark.parametrize("decoder", ["yolox", "yolo"])
def test_objectness_alone_is_no_detection(decoder: str) -> None:
    """The first class column is not taken for the objectness."""
    table = np.zeros((1, CELLS, 8), np.float32)
    table[0, 3] = [50, 40, 20, 10, 0.9, 0.1, 0.8, 0.2]
    table[0, 4] = [50, 40, 20, 10, 0.1, 0.9, 0.8, 0.2]
    found = boxes({"o": table}, card(decoder, score_threshold=0.25))
    assert found.score.tolist() == [pytest.approx(0.72)]
    assert found.class_id.tolist() == [1]


def test_end_to_end_detections_are_limited_and_ordered_by_score() -> None:
    rows = [[0, 0, 9, 9, 0.3, 2], [9, 0, 19, 9, 0.8, 0], [19, 0, 29, 9, 0.5, 1]]
    found = boxes({"o": np.float32([rows])}, card("yolo", max_detections=2))
    assert found.score.tolist() == [np.float32(0.8), 0.5]
    assert found.class_id.tolist() == [0, 1]
    assert found.xyxy.tolist() == [[9, 0, 19, 9], [19, 0, 29, 9]]


def test_ssd_detections_are_limited() -> None:
    rows = [[0, 1, 0.3, 0, 0, 1, 1], [0, 3, 0.8, 0, 0, 1, 1], [0, 2, 0.5, 0, 0, 1, 1]]
    found = boxes({"o": np.float32([[rows]])}, card("ssd", max_detections=2))
    assert found.class_id.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        pytest.param([1, 5], 4, id="above"),
        pytest.param([1, 0], -1, id="below"),
        pytest.param([2, 5], 4, id="above-with-first-in-use"),
    ],
)
def test_ssd_names_the_class_without_a_label(classes: list[int], named: int) -> None:
    rows = [[0, class_id, 0.9, 0, 0, 1, 1] for class_id in classes]
    with pytest.raises(ArtifactError) as caught:
        decode({"o": np.float32([[rows]])}, card("ssd"))
    assert str(caught.value) == f"the model found class {named}, but its 3 labels are classes 0 to 2; correct --labels"


def test_ssd_of_tflite_with_scores_of_0_and_1() -> None:
    """Where both lists are whole numbers, the order of the operator holds: classes, then scores."""
    outputs = {
        "a": np.zeros((1, 2, 4), np.float32),
        "b": np.float32([[2, 1]]),
        "c": np.float32([[1, 1]]),
        "d": np.float32([2]),
    }
    assert boxes(outputs, card("ssd")).class_id.tolist() == [2, 1]


def test_ultraface_takes_an_empty_background_for_a_probability() -> None:
    scores = np.tile(np.float32([1.0, 0.0]), (1, PRIORS, 1))
    scores[0, 7] = [0.0, 1.0]
    flat = np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (1, PRIORS, 1))
    assert boxes({"s": scores, "b": flat}, card("ultraface", 1)).score.tolist() == [1.0]


def test_ultraface_logits_that_are_all_positive() -> None:
    """Scores above 0 whose sum is more than 1 are logits."""
    scores = np.tile(np.float32([1.5, 0.2]), (1, PRIORS, 1))
    scores[0, 7] = [0.2, 1.2]
    flat = np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (1, PRIORS, 1))
    assert boxes({"s": scores, "b": flat}, card("ultraface", 1)).score.tolist() == [pytest.approx(1 / (1 + np.exp(-1.0)))]
    mixed = np.tile(np.float32([-0.5, 0.4]), (1, PRIORS, 1))
    mixed[0, 7] = [-2.0, 2.0]
    found = boxes({"s": mixed, "b": flat}, card("ultraface", 1, score_threshold=0.9))
    assert found.score.tolist() == [pytest.approx(1 / (1 + np.exp(-4.0)))]


def test_ultraface_boxes_without_extent_are_offsets() -> None:
    scores = np.tile(np.float32([1.0, 0.0]), (1, PRIORS, 1))
    scores[0, 0] = [0.0, 1.0]
    found = boxes({"s": scores, "b": np.zeros((1, PRIORS, 4), np.float32)}, card("ultraface", 1))
    np.testing.assert_allclose(found.xyxy, [[4 - 5, 4 - 5, 4 + 5, 4 + 5]], atol=1e-4)


def test_fastestdet_with_one_class_and_negative_values() -> None:
    """Negative scores count as 0: a power of them would be NaN."""
    table = np.full((1, 6, 4, 6), -1, np.float32)
    table[0, :, 1, 2] = [1.0, 0, 0, 0, 0, 0.5]
    found = boxes({"o": table}, card("fastestdet", 1))
    np.testing.assert_allclose(found.score, [0.5**0.4], rtol=1e-6)
    np.testing.assert_allclose(found.xyxy, [[32 - 24, 16 - 16, 32 + 24, 16 + 16]], atol=1e-4)
    assert not np.isnan(boxes({"o": table}, card("fastestdet", 1, score_threshold=0.0)).score).any()


@pytest.mark.parametrize(
    ("shape", "classes", "layout"),
    [
        pytest.param((1, 7, CELLS), 3, "columns", id="columns"),
        pytest.param((1, CELLS, 7), 3, "rows", id="rows"),
        pytest.param((1, CELLS, 8), 3, "objectness", id="objectness"),
        pytest.param((1, 300, 6), 3, "end2end", id="end2end"),
        pytest.param((1, CELLS, 6), 1, "objectness", id="one-class-dense"),
        pytest.param((1, 3 * CELLS, 6), 1, "objectness", id="one-class-anchors"),
        pytest.param((1, 0, 6), 1, "end2end", id="one-class-empty"),
        pytest.param((1, CELLS, 9), 3, "", id="other"),
        pytest.param((CELLS, 7), 3, "", id="two-axes"),
        pytest.param((30, 6), 3, "end2end", id="end2end-without-batch"),
        *(pytest.param((1, rows, 6), 2, "end2end", id=f"end2end-{rows}-rows") for rows in (1, 2, 5, 6, 7)),
        pytest.param((1, 30, 6), 26, "end2end", id="as-many-rows-as-channels"),
        pytest.param((1, CELLS, 6), 2, "rows", id="two-classes-of-cells"),
        pytest.param((1, CELLS, 6), 3, "", id="cells-of-another-number-of-classes"),
        pytest.param((1, CELLS, 5), 1, "rows", id="one-class-rows"),
        pytest.param((1, 6, CELLS), 2, "columns", id="two-classes-of-columns"),
        pytest.param((1, CELLS, CELLS + 1), CELLS - 4, "objectness", id="the-cells-decide"),
        pytest.param((1, CELLS - 1, CELLS), CELLS - 5, "columns", id="the-cells-decide-columns"),
        pytest.param((1, 12, 40), 8, "columns", id="other-strides"),
    ],
)
def test_yolo_layouts(shape: tuple[int, ...], classes: int, layout: str) -> None:
    assert layout_of(shape, SIZE, classes) == layout


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        pytest.param((1, 300, 6), (), id="end2end"),
        pytest.param((1, 7, CELLS), (3,), id="columns"),
        pytest.param((1, 7, -1), (3,), id="free-columns"),
        pytest.param((1, CELLS, 7), (3, 2), id="rows"),
        pytest.param((1, 3 * CELLS, 7), (2, 3), id="anchors"),
        pytest.param((1, CELLS, 5), (1,), id="one-class"),
        pytest.param((1, 12, 40), (8,), id="other-strides"),
        pytest.param((1, 4, CELLS), (), id="boxes-only"),
        pytest.param((1, -1, -1), (), id="free"),
        pytest.param((1, 0, 0), (), id="empty"),
        pytest.param((5,), (), id="one-axis"),
    ],
)
def test_yolo_class_counts(shape: tuple[int, ...], counts: tuple[int, ...]) -> None:
    assert class_counts(shape, SIZE) == counts


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_yolo_end2end_of_few_rows(rows: int) -> None:
    table = np.zeros((1, rows, 6), np.float32)
    table[0, :2] = np.array([[8, 8, 24, 24, 0.9, 0], [32, 32, 56, 56, 0.8, 1]], np.float32)[:rows]
    found = boxes({"o": table}, card("yolo", 2))
    assert found.class_id.tolist() == [0, 1][:rows]
    assert found.xyxy.tolist() == [[8, 8, 24, 24], [32, 32, 56, 56]][:rows]
    without_batch = boxes({"o": table[0]}, card("yolo", 2))
    assert without_batch.xyxy.tolist() == found.xyxy.tolist()


def test_yolo_end2end_with_values_that_can_not_be() -> None:
    """Rows that are not finite are no boxes, rows without a score fill the table, a class without a label is an error."""
    table = np.zeros((1, 5, 6), np.float32)
    table[0] = [
        [8, 8, 24, 24, 0.9, 1],
        [8, 8, 24, np.nan, 0.9, 1],
        [8, 8, 24, 24, 0.9, np.inf],
        [0, 0, 0, 0, 0, -1],
        [np.nan] * 6,
    ]
    assert boxes({"o": table}, card("yolo", 2, score_threshold=0.0)).xyxy.tolist() == [[8, 8, 24, 24]]
    table[0, 0, 5] = 3
    with pytest.raises(ArtifactError, match="found class 3, but its 2 labels are classes 0 to 1"):
        boxes({"o": table}, card("yolo", 2))


@pytest.mark.parametrize("count", [np.nan, np.inf, -1.0, 1e9])
def test_ssd_with_a_count_that_can_not_be(count: float) -> None:
    parts = {"b": np.ones((1, 2, 4)), "c": np.zeros((1, 2)), "s": np.full((1, 2), 0.9), "n": np.array([count])}
    outputs = {name: array.astype(np.float32) for name, array in parts.items()}
    assert len(boxes(outputs, card("ssd", 2))) == (2 if count > 2 else 0)


@pytest.mark.parametrize(
    ("largest", "factor"), [pytest.param(2.0, 96, id="2-is-a-fraction"), pytest.param(2.5, 1, id="above-is-pixels")]
)
def test_yolo_coordinates_above_2_are_pixels(largest: float, factor: int) -> None:
    table = np.zeros((1, CELLS, 7), np.float32)
    table[0, 0] = [largest, 0.5, 1, 1, 0.9, 0, 0]
    found = boxes({"o": table}, card("yolo"))
    assert found.xyxy[0, 0] == pytest.approx((largest - 0.5) * factor)


def test_wide_boxes_do_not_make_fractions_pixels() -> None:
    """The unit is decided by the centres: a size may be above 2 in fractions of a small input."""
    table = np.zeros((1, CELLS, 7), np.float32)
    table[0, 0] = [0.5, 0.5, 3, 1, 0.9, 0, 0]
    assert boxes({"o": table}, card("yolo")).xyxy[0].tolist() == [-96, 0, 192, 64]


def test_dequantize_changes_quantized_outputs_only() -> None:
    outputs = {"q": np.int8([-8, 2]), "f": np.float32([1, 2]), "h": np.float16([3]), "other": np.int64([5])}
    specs = [
        TensorSpec("q", (2,), "int8", scale=0.5, zero_point=None),
        TensorSpec("f", (2,), "float32", scale=0.5, zero_point=1),
        TensorSpec("h", (1,), "float16"),
    ]
    found = dequantize(outputs, specs)
    assert found["q"].tolist() == [-4, 1]
    assert found["q"].dtype == np.float32
    assert found["f"] is outputs["f"]
    assert found["h"] is outputs["h"]
    assert found["other"] is outputs["other"]
    assert dequantize(outputs, []) is outputs


def test_the_first_image_of_a_float_batch_is_a_view() -> None:
    batch = np.zeros((1, 4, 2), np.float32)
    assert np.shares_memory(first_image(batch), batch)
    assert first_image(batch.astype(np.float16)).dtype == np.float32
