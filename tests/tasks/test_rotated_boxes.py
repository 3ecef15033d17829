"""Rotated boxes as a variant of detection: decoding, comparing, records, goldens, the measure, drawing, tracks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.golden import Golden, decode, encode
from edgecnn.parity import TOLERANCES
from edgecnn.postprocess import decode as decode_outputs
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.parts import output_parts
from edgecnn.preprocess import geometry
from edgecnn.rotated import corners, enclosing, overlap
from edgecnn.runtime.draw.painter import draw
from edgecnn.runtime.pipeline.region_inference import merge
from edgecnn.runtime.tracking import ByteTrack
from edgecnn.tasks import compare, find, to_source
from edgecnn.types import Boxes, Detections, Float32, TensorSpec

LABELS = ("ship", "plane")


def card(size: tuple[int, int] = (64, 96), **options: float) -> ModelCard:
    return ModelCard(name="obb", task="detect", labels=LABELS, preprocess=Preprocess(size), decode=Decode("yolo-obb", options))


def rotated(*boxes: list[float], class_id: int = 0) -> Detections:
    xywhr = np.array(boxes, np.float32)
    count = len(boxes)
    return Detections(enclosing(xywhr), np.linspace(0.9, 0.5, count).astype(np.float32), np.full(count, class_id), xywhr=xywhr)


def rows() -> Float32:
    """Two rows of one ship, one of a plane at the same place, one beside it, one below the threshold."""
    return np.float32(
        [
            [40, 30, 30, 10, 0.9, 0.1, 0.5],
            [41, 30, 10, 30, 0.7, 0.1, 0.5 + np.pi / 2],
            [40, 30, 30, 10, 0.1, 0.6, 0.5],
            [70, 30, 30, 10, 0.5, 0.1, 0.5],
            [20, 50, 30, 10, 0.1, 0.1, 0.5],
            *[[5, 5, 4, 4, 0, 0, 0]] * 9,
        ]
    )


@pytest.mark.parametrize("turned", [False, True], ids=["(1, 7, N)", "(1, N, 7)"])
@pytest.mark.parametrize("unit", [1, 64], ids=["pixels", "0..1"])
def test_rows_become_rotated_boxes(turned: bool, unit: int) -> None:
    table = rows()
    table[:, :4] /= unit
    found = decode_outputs({"out": table[None] if turned else table.T[None]}, card((64, 64), score_threshold=0.3))
    assert found.class_id.tolist() == [0, 1, 0]
    assert found.score.tolist() == pytest.approx([0.9, 0.6, 0.5])
    np.testing.assert_allclose(found.xywhr, [[40, 30, 30, 10, 0.5], [40, 30, 30, 10, 0.5], [70, 30, 30, 10, 0.5]], atol=1e-4)
    np.testing.assert_allclose(found.xyxy, enclosing(found.xywhr), atol=1e-4)


def test_other_shapes_are_refused_and_nothing_is_nothing() -> None:
    with pytest.raises(ArtifactError, match="yolo-obb"):
        decode_outputs({"out": np.zeros((1, 8, 90), np.float32)}, card())
    broken = rows()
    broken[:, 4] = np.nan
    assert len(decode_outputs({"out": np.full((1, 7, 14), np.nan, np.float32)}, card())) == 0
    assert len(decode_outputs({"out": np.zeros((1, 7, 14), np.float32)}, card())) == 0


def test_boxes_scores_and_angle_have_ranges_of_their_own() -> None:
    shape = (1, 7, 126)
    parts = output_parts({"out": shape}, card())
    array = np.arange(np.prod(shape)).reshape(shape)
    assert [part.pick(array).shape for part in parts] == [(1, 4, 126), (1, 2, 126), (1, 1, 126)]
    assert parts[2].pick(array)[0, 0, 0] == 6 * 126


def test_the_angle_decides_whether_two_engines_agree() -> None:
    expected = rotated([100, 100, 80, 10, 0.2], [200, 100, 80, 10, 1.2])
    same = compare(expected, rotated([101, 100, 80, 10, 0.2], [200, 100, 80, 10, 1.2]), TOLERANCES["int8"])
    other = compare(expected, rotated([100, 100, 80, 10, -0.2], [200, 100, 80, 10, 1.2]), TOLERANCES["int8"])
    assert (same.same, same.total, other.same, other.total) == (4, 4, 2, 4)


def test_records_name_corners_and_angle() -> None:
    (record,) = find("detect").record(rotated([50, 40, 20, 10, 0.5]), LABELS)["detections"]
    assert record["angle"] == 0.5
    np.testing.assert_allclose(record["corners"], corners(np.float32([[50, 40, 20, 10, 0.5]]))[0], atol=0.01)
    assert "29°" in find("detect").text(rotated([50, 40, 20, 10, 0.5]), LABELS)[1]
    upright = Detections(np.float32([[1, 2, 3, 4]]), np.float32([1]), np.int64([0]))
    assert "corners" not in find("detect").record(upright, LABELS)["detections"][0]


def test_goldens_keep_rotated_boxes() -> None:
    kept = rotated([50, 40, 20, 10, 0.5])
    stored = encode([Golden("real", np.zeros((8, 8, 3), np.uint8), {}, kept), Golden("black", np.zeros((8, 8, 3), np.uint8), {})])
    found = decode(stored)[0].prediction
    assert isinstance(found, Detections)
    np.testing.assert_array_equal(found.xywhr, kept.xywhr)


def test_boxes_go_back_to_the_source() -> None:
    place = geometry(Preprocess((64, 96), resize="letterbox"), 192, 64)
    found = to_source(rotated([48, 32, 20, 10, 0.5]), place)
    np.testing.assert_allclose(found.xywhr, [[96, 32, 40, 20, 0.5]], atol=1e-2)


def test_accuracy_is_measured_by_the_rotated_rectangles() -> None:
    boxes = np.float32([[100, 100, 80, 20, 0.4], [200, 100, 80, 20, 1.0]])
    truth = Boxes(enclosing(boxes), np.int64([0, 0]), corners=corners(boxes))
    scores = {}
    for name, change in (("right", 0.0), ("wrong angle", np.pi / 3)):
        accumulator = find("detect").accumulator(LABELS)
        turned = boxes + np.float32([0, 0, 0, 0, change])
        # the upright boxes are right in both cases
        predicted = Detections(truth.xyxy, np.float32([0.9, 0.8]), np.int64([0, 0]), xywhr=turned)
        sample = type("Sample", (), {"boxes": truth, "unlabelled": frozenset()})()
        classes = find("detect").match_labels(LABELS, LABELS)
        accumulator.add(predicted, sample, classes)
        scores[name] = accumulator.score(())
    assert scores["right"].values["map"] == pytest.approx(1)
    assert scores["wrong angle"].values["map"] == 0
    assert "rotated rectangles" in scores["right"].notes[0]


def test_they_are_drawn_as_they_lie() -> None:
    found = rotated([200, 160, 120, 40, np.pi / 6])
    image = draw(np.zeros((320, 400, 3), np.uint8), found, LABELS, captions=False)
    lit = image.any(2)
    assert found.xywhr is not None
    for x, y in corners(found.xywhr)[0]:
        assert lit[round(float(y)) - 2 : round(float(y)) + 3, round(float(x)) - 2 : round(float(x)) + 3].any()
    left, top, right, bottom = (round(float(edge)) for edge in found.xyxy[0])
    assert not lit[top : top + 8, left : left + 8].any()
    assert not lit[bottom - 8 : bottom, right - 8 : right].any()
    inside = cv2.fillConvexPoly(np.zeros((320, 400), np.uint8), np.rint(corners(found.xywhr)[0]).astype(int), 1)
    assert not lit[inside == 0][: lit.size // 4].any()


def test_a_track_keeps_the_rotated_box() -> None:
    tracker = ByteTrack()
    found = tracker.update(rotated([50, 40, 20, 10, 0.5]), 0.0)
    assert found.track_id is not None
    np.testing.assert_allclose(found.xywhr, [[50, 40, 20, 10, 0.5]])


def test_tiles_keep_one_box_of_each_object() -> None:
    found = rotated([50, 40, 40, 10, 0.5], [50, 40, 40, 10, 0.5], [120, 40, 40, 10, 0.5])
    merged = merge(found, np.array([False, False, True]), NmsOptions())
    assert merged.xywhr is not None
    assert found.xywhr is not None
    assert overlap(merged.xywhr, found.xywhr).max(0).tolist() == pytest.approx([1, 1, 1], abs=1e-3)
    assert len(merged) == 2


def test_a_spec_says_how_many_classes_a_file_has() -> None:
    from edgecnn.runtime.model.tensor_shapes import class_choices

    spec = TensorSpec("out", (1, 7, 126), "float32")
    assert class_choices("yolo-obb", [spec], (64, 96)) == (2,)
