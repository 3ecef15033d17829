from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.benchmarks import DatasetSelection, EvaluationConfig, evaluate_file
from edgecnn.benchmarks.measure.evaluation import whole_curve
from edgecnn.errors import InputError
from edgecnn.runtime.model.card_inference import CardOptions

SCENE = DatasetSelection("scene:cups?seed=5&every=40&size=160x120", limit=4)


def test_a_file_is_evaluated_from_python_with_its_document(detector: Path) -> None:
    pytest.importorskip("pycocotools")
    done: list[tuple[int, int]] = []
    evaluation = evaluate_file(EvaluationConfig(file=detector, data=SCENE), progress=lambda *counts: done.append(counts))
    document = evaluation.to_document()
    assert (document["schema"], document["version"]) == ("edgecnn.evaluation", 4)
    assert document["dataset"]["image_count"] == evaluation.score.n == 4
    assert document["decode"] == {"name": "fcos", "options": document["decode"]["options"]}
    assert document["decode"]["options"]["score_threshold"] == 0.001
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_missing_model_is_refused_before_the_dataset_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx"):
        evaluate_file(EvaluationConfig(file=tmp_path / "none.onnx", data=DatasetSelection("nowhere")))


def test_thresholds_are_for_the_whole_curve_unless_the_user_set_them() -> None:
    chosen = whole_curve(CardOptions())
    assert (chosen.score_threshold, chosen.max_detections) == (0.001, 100)
    chosen = whole_curve(CardOptions(score_threshold=0.3, max_detections=7))
    assert (chosen.score_threshold, chosen.max_detections) == (0.3, 7)
