from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edgecnn.benchmarks.figures.compare_networks import command, pairs
from edgecnn.models import create, save_checkpoint
from edgecnn.models.new_card import new_card

LABELS = tuple("0123456789")


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[str]:
    paths = []
    for name in ("mlp", "lecture"):
        paths.append(str(tmp_path / f"{name}.safetensors"))
        save_checkpoint(paths[-1], create(name), new_card(name, {"classes": 10}, LABELS))
    return paths


def test_pairs_count_mistakes_in_both_directions_and_best_comes_first() -> None:
    before = np.array([[5, 3, 0], [2, 5, 1], [0, 1, 5]])
    after = np.array([[5, 1, 1], [0, 5, 1], [0, 1, 5]])
    assert pairs(before, after, ("a", "b", "c")) == [("a / b", 5, 1), ("b / c", 2, 2), ("a / c", 0, 1)]


def test_pictures_and_recall_of_each_class(checkpoints: list[str], digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.png"
    found = CliRunner().invoke(command, [*checkpoints, "--data", str(digits), "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert found.output.startswith("60 images: top-1 ")
    assert {line.split()[0] for line in found.output.splitlines()[2:12]} == set(LABELS)
    both, recall = cv2.imread(str(out)), cv2.imread(str(tmp_path / "both-recall.png"))
    assert both is not None
    assert recall is not None
    assert both.shape[1] > 1.5 * both.shape[0]


def test_detector_can_not_be_compared(checkpoints: list[str], digits: Path, tmp_path: Path) -> None:
    options = {"classes": 10, "widths": (8, 8, 8, 8, 8), "depths": (1, 1, 1, 1), "neck": 8}
    save_checkpoint(tmp_path / "det.safetensors", create("edgedet", **options), new_card("edgedet", options, LABELS))
    words = [checkpoints[0], str(tmp_path / "det.safetensors"), "--data", str(digits), "--out", str(tmp_path / "out.png")]
    found = CliRunner().invoke(command, words)
    assert found.exit_code == 2
    assert "is a model to detect, not a classifier of 0, 1" in found.output


def test_several_seeds_show_the_spread(checkpoints: list[str], digits: Path, tmp_path: Path) -> None:
    sides = [f"{path},{path.replace('.safetensors', '-2.safetensors')}" for path in checkpoints]
    for name in ("mlp", "lecture"):
        torch.manual_seed(7)
        save_checkpoint(tmp_path / f"{name}-2.safetensors", create(name), new_card(name, {"classes": 10}, LABELS))
    found = CliRunner().invoke(command, [*sides, "--data", str(digits), "--out", str(tmp_path / "both.png")])
    assert found.exit_code == 0, found.output
    assert "60 images, 2 seeds: top-1 " in found.output
    assert found.output.count("±") == 2
    assert sum(" to " in line for line in found.output.splitlines()[2:12]) == 10


def test_unequal_numbers_of_seeds_are_refused(checkpoints: list[str], digits: Path) -> None:
    found = CliRunner().invoke(command, [f"{checkpoints[0]},{checkpoints[0]}", checkpoints[1], "--data", str(digits)])
    assert found.exit_code == 2
    assert "the sides have 2 and 1 checkpoints" in found.output
