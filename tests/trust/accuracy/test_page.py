"""The page of a detailed evaluation: one file, nothing from elsewhere, everything of the details in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.benchmarks.measure.evaluation import Evaluation
from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.engine_device import CPU
from edgecnn.metrics.classmap import identity
from edgecnn.tasks.evaluate import score_outcomes
from edgecnn.trust.accuracy.boxes import BoxCollector
from edgecnn.trust.accuracy.labels import LabelCollector
from edgecnn.trust.accuracy.measure import DetailedEvaluation
from edgecnn.trust.accuracy.page import accuracy_page
from edgecnn.trust.accuracy.text import to_text
from edgecnn.trust.judgement import judge
from edgecnn.types import Classes, Detections, Image

pytest.importorskip("jinja2")


def image() -> Image:
    return np.full((40, 60, 3), 90, np.uint8)


def evaluated(dataset: Dataset, found: list[Any]) -> DetailedEvaluation:
    collector: Any = LabelCollector() if dataset.task == "classify" else BoxCollector()
    for index, (sample, prediction) in enumerate(zip(dataset.samples, found, strict=True)):
        collector.add(judge(prediction, sample, identity(len(dataset.labels)), threshold=0.0), index)
    score = score_outcomes(zip(dataset.samples, found, strict=True), dataset)
    detail = collector.detail(score, dataset, 0) if dataset.task == "classify" else collector.detail(score, 0)
    evaluation = Evaluation(
        file=Path("net.onnx"),
        format="onnx",
        precision="int8",
        device=CPU,
        decoder="softmax",
        decoder_options={},
        dataset=dataset.name,
        split="",
        image_count=len(dataset),
        problems=(),
        score=score,
    )
    return DetailedEvaluation(evaluation, detail, dataset, 0)


def check_page(page: str) -> None:
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "<script" not in page


def test_a_classifier() -> None:
    samples = [Sample(f"{at}<b>.png", image, label=at % 2) for at in range(8)]
    found = [Classes(np.float32([0.7, 0.3]) if at < 6 else np.float32([0.2, 0.8])) for at in range(8)]
    detailed = evaluated(Dataset("two", "classify", ("even", "odd"), samples), found)
    page = accuracy_page(detailed)
    check_page(page)
    assert "odd taken for even: 3 of 4" in page
    assert page.count("data:image/jpeg") == 4  # three odd ones and an even one
    assert "1&lt;b&gt;.png" in page
    assert "Is it as sure as it is right?" in page
    assert "4.6 to 69.9       50.0  33.3" in to_text(detailed)  # interval of the recall, precision, F1


def test_a_detector() -> None:
    box = np.float32([[5, 5, 35, 35]])
    samples = [Sample(f"{at}", image, boxes=Boxes(box, np.array([0]))) for at in range(4)]
    found = [Detections(box, np.float32([0.9]), np.array([at % 2])) for at in range(4)]
    detailed = evaluated(Dataset("cups", "detect", ("cup", "mug"), samples), found)
    page, text = accuracy_page(detailed), to_text(detailed)
    check_page(page)
    for words in ("Kinds of errors", "Precision and recall", "localisation", "AP50"):
        assert words in page
    assert any(line.split()[:2] == ["class", "2"] for line in text.splitlines())
