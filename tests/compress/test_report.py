from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edgecnn.compress.cost import NetworkCost
from edgecnn.compress.pareto import ParetoPoint, draw, pareto_front
from edgecnn.compress.report import CompressionReport, MeasuredVariant, Variant, variant
from edgecnn.models import load_checkpoint, save_checkpoint

Make = Callable[..., Path]


def report() -> CompressionReport:
    """Two networks; of the second an exported file was measured, in a noisy hour."""
    file = MeasuredVariant("onnx", "int8", 20_000, 0.91, 0.05, 0.0712, ("drifted by +20%",))
    return CompressionReport(
        (
            Variant("00-start", NetworkCost(50_000, 600_000, 200_000), "top-1", 0.925, "digits test"),
            Variant("01-prune", NetworkCost(15_000, 150_000, 60_000), "top-1", 0.92, "digits test", (file,)),
        ),
        "edgecnn compress big.safetensors --target-macs 4x",
        "some board, 1 thread",
        "quick",
    )


def test_the_tables_say_what_was_found(tmp_path: Path) -> None:
    report().write(tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| 01-prune | 92.00% | 15,000 | 150,000 | 25% | 60.0 kB |" in text
    assert "| 01-prune | onnx | int8 | 91.00% | 20.0 kB | 0.05 | 0.0712 | NOISY |" in text
    assert "NOISY, all files: drifted by +20%." in text
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["variants"][1]["files"][0]["task_latency_ms"] == 0.0712
    picture = cv2.imread(str(tmp_path / "pareto.png"))
    assert picture is not None
    assert picture.std() > 5


def test_without_measurements_there_is_no_table_of_files(tmp_path: Path) -> None:
    CompressionReport(report().variants[:1]).write(tmp_path)
    assert "## Files" not in (tmp_path / "report.md").read_text()


def test_accuracy_is_what_the_checkpoints_training_measured(untrained: Make) -> None:
    path = untrained("mlp")
    assert variant(path).accuracy is None
    model, card = load_checkpoint(path)
    save_checkpoint(path, model, card.replace(training={"scores": {"data": "digits", "part": "test", "top1": 0.75}}))
    found = variant(path, "x")
    assert (found.name, found.metric, found.accuracy, found.data) == ("x", "top-1", 0.75, "digits test")


def test_the_pareto_front_holds_the_points_that_no_other_beats() -> None:
    points = [
        ParetoPoint("a", 1, 0.5),
        ParetoPoint("b", 2, 0.4),
        ParetoPoint("c", 2, 0.7),
        ParetoPoint("d", 3, 0.7),
        ParetoPoint("e", 4, 0.9),
    ]
    assert [point.name for point in pareto_front(points)] == ["a", "c", "e"]


@pytest.mark.parametrize("count", [pytest.param(1, id="one"), pytest.param(7, id="many"), pytest.param(0, id="none")])
def test_pictures_of_any_number_of_points(tmp_path: Path, count: int) -> None:
    points = [ParetoPoint(f"network-{index}", 10.0**index, 0.5 + index / 20) for index in range(count)]
    draw("title", {"MACs": points} if points else {}, tmp_path / "p.png")
    assert cv2.imread(str(tmp_path / "p.png")) is not None
