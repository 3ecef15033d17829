from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import edgecnn
from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, BackendError
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.types import Classes, Detections
from tests.contracts.tiny import Graph, write

CELLS = (64 // 8) ** 2 + (64 // 16) ** 2 + (64 // 32) ** 2


def artifact(folder: Path, kind: str = "onnx") -> Path:
    """A detector that sees one box of class 1 at (16, 16, 48, 48) of its 64 x 64 input, whatever the image."""
    boxes, scores = np.zeros((1, CELLS, 4), np.float32), np.zeros((1, CELLS, 2), np.float32)
    cell = 3 * 8 + 3  # stride 8, row 3, column 3: centre (28, 28)
    boxes[0, cell] = [12 / 8, 12 / 8, 20 / 8, 20 / 8]
    scores[0, cell, 1] = 0.9
    card = ModelCard(
        name="tiny",
        task="detect",
        labels=("a", "b"),
        preprocess=Preprocess((64, 64)).folded(),
        decode=Decode("fcos", {"strides": [8, 16, 32]}),
    )
    graph = Graph({"boxes": boxes, "scores": scores}, (1, 64, 64, 3), gain=0.0, metadata={"edgecnn.card": card.to_json()})
    return write(folder, kind, graph)


def classifier(folder: Path) -> Path:
    card = ModelCard(
        name="tiny", task="classify", labels=("a", "b", "c"), preprocess=Preprocess((8, 8)).folded(), decode=Decode("softmax")
    )
    graph = Graph({"logits": np.array([[1, 3, 2]], np.float32)}, metadata={"edgecnn.card": card.to_json()})
    return write(folder, "onnx", graph)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_boxes_are_in_source_pixels(kind: str, tmp_path: Path) -> None:
    with Predictor(artifact(tmp_path, kind)) as predictor:
        found = predictor(np.zeros((100, 200, 3), np.uint8))
    assert isinstance(found, Detections)
    assert found.class_id.tolist() == [1]
    np.testing.assert_allclose(found.xyxy, [[50, 0, 150, 100]], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.9])


def test_classes(tmp_path: Path) -> None:
    with edgecnn.Predictor(classifier(tmp_path)) as predictor:
        found = predictor(np.full((20, 30, 3), 9, np.uint8))
    assert isinstance(found, Classes)
    assert found.top1 == 1
    assert found.score.sum() == pytest.approx(1)


def test_a_worker_tells_the_time_of_each_stage(tmp_path: Path) -> None:
    with Predictor(artifact(tmp_path)) as predictor:
        prediction, stages = predictor.worker()(np.zeros((64, 64, 3), np.uint8))
    assert len(prediction) == 1  # type: ignore[arg-type]
    assert list(stages) == ["preprocess", "infer", "postprocess"]
    assert all(0 < value < 10_000 for value in stages.values())


def test_options_change_what_the_card_says(tmp_path: Path) -> None:
    path = artifact(tmp_path)
    image = np.zeros((64, 64, 3), np.uint8)
    with Predictor(path, options=CardOptions(score_threshold=0.95)) as predictor:
        assert len(predictor(image)) == 0  # type: ignore[arg-type]
        assert predictor.card.decode.options == {"strides": [8, 16, 32], "score_threshold": 0.95}
    with Predictor(path, options=CardOptions(labels=Path("x,y"))) as predictor:
        assert predictor.card.labels == ("x", "y")


def test_more_threads_than_requests(tmp_path: Path) -> None:
    found: list[object] = []
    with Predictor(artifact(tmp_path), requests=2) as predictor:

        def work() -> None:
            found.extend(len(predictor(np.zeros((64, 64, 3), np.uint8))) for _ in range(10))  # type: ignore[arg-type]

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert found == [1] * 50


def test_a_card_that_does_not_fit_closes_the_model_again(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="class names"):
        Predictor(artifact(tmp_path), options=CardOptions(labels=Path("x,y,z")))


def test_after_close(tmp_path: Path) -> None:
    predictor = Predictor(artifact(tmp_path))
    predictor.close()
    predictor.close()
    with pytest.raises(BackendError):
        predictor(np.zeros((64, 64, 3), np.uint8))


def test_predicting_imports_neither_torch_nor_the_other_engines(tmp_path: Path) -> None:
    code = f"""
import sys
import numpy as np
from edgecnn import Predictor
Predictor({str(artifact(tmp_path))!r})(np.zeros((64, 64, 3), np.uint8))
heavy = ["torch", "onnx", "openvino", "ai_edge_litert", "tensorflow", "matplotlib", "scipy", "edgecnn.export", "edgecnn.train"]
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
