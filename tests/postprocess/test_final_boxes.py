from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess import decode
from edgecnn.postprocess.final_boxes import NMS_OF, as_outputs, final_boxes, final_decode, rows_in_order
from edgecnn.types import Detections

FOUND = Detections(
    np.float32([[1, 2, 30, 40], [5, 5, 9, 9], [0, 0, 3, 3]]), np.float32([0.9, 0.6, 0.4]), np.array([2, 0, 1], np.int64)
)


def card_of(**options: float) -> ModelCard:
    return ModelCard(
        name="tiny",
        task="detect",
        labels=("a", "b", "c"),
        preprocess=Preprocess(size=(64, 64)),
        decode=final_decode(Decode("yolo", {"score_threshold": 0.1, "max_detections": 5, **options})),
    )


def test_reads_what_a_graph_of_more_rows_gives() -> None:
    outputs = as_outputs(FOUND, 5)
    assert {name: array.shape for name, array in outputs.items()} == {
        "boxes": (1, 5, 4),
        "scores": (1, 5),
        "classes": (1, 5),
        "count": (1,),
    }
    found = decode(outputs, card_of())
    assert isinstance(found, Detections)
    assert np.array_equal(found.xyxy, FOUND.xyxy)
    assert np.array_equal(found.score, FOUND.score)
    assert np.array_equal(found.class_id, FOUND.class_id)


def test_a_higher_threshold_and_fewer_boxes_are_possible() -> None:
    outputs = as_outputs(FOUND, 5)
    assert len(final_boxes(outputs, card_of(score_threshold=0.5))) == 2
    assert len(final_boxes(outputs, card_of(max_detections=1))) == 1


def test_rows_behind_the_count_and_boxes_that_are_not_finite_are_left_out() -> None:
    outputs = as_outputs(FOUND, 3)
    outputs["count"][0] = 2
    outputs["boxes"][0, 0, 1] = np.inf
    assert final_boxes(outputs, card_of()).class_id.tolist() == [0]
    outputs["count"][0] = 99
    assert final_boxes(outputs, card_of()).class_id.tolist() == [0, 1]


def test_reads_the_outputs_of_efficient_nms() -> None:
    own = as_outputs(FOUND, 4)
    outputs = {
        "num_dets": own["count"].reshape(1, 1),
        "det_boxes": own["boxes"],
        "det_scores": own["scores"],
        "det_classes": own["classes"],
    }
    assert np.array_equal(final_boxes(outputs, card_of()).xyxy, FOUND.xyxy)


@pytest.mark.parametrize("missing", ["boxes", "scores", "classes", "count"])
def test_other_outputs_are_refused(missing: str) -> None:
    outputs = as_outputs(FOUND, 4)
    del outputs[missing]
    with pytest.raises(ArtifactError, match="final-boxes needs boxes"):
        final_boxes(outputs, card_of())


def test_a_class_without_a_label_is_refused() -> None:
    outputs = as_outputs(Detections(FOUND.xyxy, FOUND.score, np.array([0, 1, 3], np.int64)), 4)
    with pytest.raises(ArtifactError, match="class 3"):
        final_boxes(outputs, card_of())


def test_the_options_are_those_of_the_decoder_before_it() -> None:
    options = final_decode(Decode("fcos", {"score_threshold": 0.2, "strides": [8]})).options
    assert options == {"score_threshold": 0.2, "iou_threshold": 0.6, "max_detections": 100, NMS_OF: "fcos"}
    assert final_decode(Decode("detr"), suppresses=False).options["iou_threshold"] == 1.0


def test_rows_in_order_of_other_boxes() -> None:
    rows = rows_in_order(FOUND, np.array([[0, 2], [2, 0]]), as_outputs(FOUND, 4))
    assert rows["boxes"][0, 0].tolist() == [0, 0, 3, 3]
    assert rows["classes"][0, 2] == 2
    assert np.isnan(rows["scores"][0, [1, 3]]).all()
    assert np.isnan(rows["count"]).all()
