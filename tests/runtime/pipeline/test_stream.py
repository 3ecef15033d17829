from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import edgecnn
from edgecnn.errors import InputError, SourceError
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.testing import FakeSource
from edgecnn.types import Detections, Result

SCENE = "scene:cups?seed=3&size=160x120&count=6"


def test_results_come_in_frame_order() -> None:
    results = list(edgecnn.stream(SCENE, "cups", policy="all"))
    assert [result.frame.index for result in results] == list(range(6))
    assert all(isinstance(result.prediction, Detections) for result in results)


def test_leaving_the_loop_stops_every_thread() -> None:
    before = {thread.name for thread in threading.enumerate()}
    results = edgecnn.stream(FakeSource(None, fps=50), "cups")
    for result in results:
        if result.frame.index >= 2:
            break
    results.close()
    assert {thread.name for thread in threading.enumerate()} <= before


def test_steps_change_results() -> None:
    class Half:
        stage = "half"

        def __call__(self, result: Result) -> Result:
            assert isinstance(result.prediction, Detections)
            return Result(result.frame, result.prediction[:0], result.stage_ms, result.age_ms)

    results = list(edgecnn.stream(SCENE, "cups", policy="all", steps=[Half()]))
    assert [len(result.prediction) for result in results] == [0] * 6


def test_a_predictor_stays_open() -> None:
    with edgecnn.Predictor("cups") as predictor:
        assert len(list(edgecnn.stream(SCENE, predictor, policy="all"))) == 6
        assert len(list(edgecnn.stream(SCENE, predictor, policy="all", max_frames=2))) == 2


def test_a_camera_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match=r"nowhere\.mp4 does not exist"):
        next(iter(edgecnn.stream("nowhere.mp4", "cups")))


def test_detector_finds_boxes_in_an_image() -> None:
    frame = next(iter(edgecnn.open_source("scene:cups?seed=3")))
    with edgecnn.Detector("cups") as detector:
        found = detector(frame.image)
    assert len(found)
    assert found.score.min() >= 0.3
    assert {detector.labels[index] for index in found.class_id} <= set(detector.labels)


def test_detector_refuses_what_is_none(tiny_classifier: str) -> None:
    options = CardOptions(decode="softmax", labels=Path("a,b,c"), color="rgb", mean=(0.0,), std=(1.0,))
    with pytest.raises(InputError, match=r"is no detector, its task is classify; use edgecnn\.Predictor"):
        edgecnn.Detector(tiny_classifier, options=options)


@pytest.fixture
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    nodes = [helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, 3])],
    )
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return str(path)


def test_detections_to_supervision_and_back() -> None:
    pytest.importorskip("supervision")
    found = Detections(
        np.array([[1, 2, 3, 4], [5, 6, 9, 9]], np.float32),
        np.array([0.5, 0.9], np.float32),
        np.array([1, 0], np.int64),
        np.array([7, 8], np.int64),
    )
    theirs = edgecnn.to_supervision(found, ("cup", "bowl"))
    assert theirs.data["class_name"].tolist() == ["bowl", "cup"]
    back = edgecnn.from_supervision(theirs[theirs.confidence > 0.7])
    assert back.xyxy.tolist() == [[5, 6, 9, 9]]
    assert (back.class_id.tolist(), back.track_id.tolist()) == ([0], [8])


def test_supervision_without_ids_or_scores_comes_back() -> None:
    supervision = pytest.importorskip("supervision")
    back = edgecnn.from_supervision(supervision.Detections(xyxy=np.array([[0.0, 0, 1, 1]])))
    assert (back.score.tolist(), back.class_id.tolist(), back.track_id) == ([1.0], [0], None)
    assert len(edgecnn.from_supervision(supervision.Detections.empty())) == 0
    assert len(edgecnn.to_supervision(Detections.empty(), ("cup",))) == 0
