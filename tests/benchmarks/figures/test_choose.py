from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate
from edgecnn.benchmarks.choose.judgement import VariantAccuracy
from edgecnn.benchmarks.figures.choose import HandRow, compared, row_document, table
from edgecnn.benchmarks.figures.choose_tiny import CLASSES, wake_words
from edgecnn.benchmarks.measure.record import ClockRecord
from edgecnn.benchmarks.measure.timing import WarmUp
from edgecnn.benchmarks.measure.verdict import Verdict


def row(name: str, ms: float, reason: str = "") -> HandRow:
    record = ClockRecord("task", ((ms, ms), (ms, ms)), WarmUp(1, 1.0, True), Verdict())
    return HandRow(RunCandidate(EngineVariant(Path(name), "openvino"), 2), record, VariantAccuracy(9, "map", 0.5), reason)


def choice(chosen: HandRow, seconds: float = 60) -> Any:
    return SimpleNamespace(decision=SimpleNamespace(chosen=SimpleNamespace(candidate=chosen.candidate)), seconds=seconds)


@pytest.mark.parametrize(
    ("number", "seconds", "times", "reached"),
    [(1, 60, 1.0, True), (2, 60, 1.02, True), (3, 60, 1.05, False), (1, 181, 1.0, False), (0, 60, 0.5, False)],
)
def test_the_choice_is_compared_with_the_fastest_that_is_exact_enough(
    number: int, seconds: float, times: float, reached: bool
) -> None:
    rows = [row("inexact.xml", 1.0, "loses 9 points"), row("best.xml", 2.0), row("near.xml", 2.04), row("far.xml", 2.1)]
    found = compared(choice(rows[number], seconds), rows)
    assert found["best_by_hand"] == "best.xml openvino 2"
    assert (found["same"], found["reached"]) == (number == 1, reached)
    assert found["times"] == pytest.approx(times)
    text = table([{"model": "net", **found, "by_hand": [row_document(one) for one in rows]}])
    assert ("NOT reached" in text) is not reached


def test_a_wake_word_is_a_person_of_half_a_percent_of_the_image(tmp_path: Path) -> None:
    images = [{"id": index, "file_name": f"{index}.jpg", "width": 100, "height": 100} for index in range(3)]
    boxes = [
        {"image_id": 0, "category_id": 1, "bbox": [0, 0, 10, 5]},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 7, 7]},
        {"image_id": 2, "category_id": 2, "bbox": [0, 0, 90, 90]},
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    assert wake_words(tmp_path / "a.json", tmp_path, tmp_path / "out") == 3
    found = {path.name: path.parent.name for path in (tmp_path / "out").rglob("*.jpg")}
    assert found == {"0.jpg": CLASSES[1], "1.jpg": CLASSES[0], "2.jpg": CLASSES[0]}
