"""How many images a verdict takes: the same for both, more of them while it is open, no more than the time allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.choose.accuracy import Accuracies, spread
from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.race import NOT_MEASURED, Racer
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.process import OutOfTimeError
from edgecnn.metrics import Score
from edgecnn.metrics.left_out import left_out
from tests.benchmarks.choose.made_up import variant

FP32, INT8, OTHER = variant("fp32"), variant("int8"), variant("fp32", "openvino")


@dataclass
class MadeUpProcesses:
    """``right``: what each variant gets right, image by image; measuring takes ``image_s`` seconds for an image, ``limit_s`` in all."""

    right: dict[EngineVariant, np.ndarray]
    image_s: float = 1e-5
    limit_s: float = 180.0
    seconds: float = 0.0
    asked: list[tuple[EngineVariant, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cards = {one: SimpleNamespace(task="classify") for one in self.right}
        self.precisions = {one: one.path.name for one in self.right}

    @property
    def seconds_left(self) -> float:
        return max(self.limit_s - self.seconds, 0.0)

    def get(self, candidate: RunCandidate) -> tuple[Any, bool]:
        return SimpleNamespace(ask=lambda name, **arguments: self._ask(candidate.variant, name, **arguments)), False

    def _ask(self, one: EngineVariant, name: str, data: DatasetSelection, options: object) -> Score:
        assert name == "accuracy"
        right = self.right[one][:: data.every][: data.limit]
        self.seconds += self.image_s * len(right)
        if self.seconds > self.limit_s:
            raise OutOfTimeError("late", "allow more")
        self.asked.append((one, len(right)))
        values = {"top1": float(right.mean())}
        kept = left_out(len(right), lambda mask: float(right[mask].mean()))
        return Score("classify", len(right), (), values, {}, {}, metric="top1", left_out=kept)


def accuracies(processes: MadeUpProcesses, budget: Budget | None = None, limit: int | None = None) -> Accuracies:
    config = ChooseConfig(files=(Path("a"),), budget=budget or Budget(), data=DatasetSelection("digits", limit=limit), threads=2)
    inputs: Any = SimpleNamespace(labelled=True, available=len(next(iter(processes.right.values()))))
    racers = [Racer(RunCandidate(one, 2), {0: (1e3 * processes.image_s,)}) for one in processes.right]
    made: Any = processes
    return Accuracies(config, made, inputs, lambda: racers)


def right(images: int, wrong: float, seed: int = 0, base: np.ndarray | None = None) -> np.ndarray:
    """Images that are classified right; with ``base`` those of it, of which a share ``wrong`` is lost."""
    draw = np.random.default_rng(seed).random(images) >= wrong
    return draw if base is None else base & draw


def test_a_clear_loss_takes_few_images() -> None:
    full = right(20_000, 0.1)
    processes = MadeUpProcesses({FP32: full, INT8: right(20_000, 0.2, 1, full)})
    found = accuracies(processes)
    assert found(INT8).startswith("loses ")
    assert max(count for _, count in processes.asked) <= 200


def test_a_loss_near_the_limit_takes_more_images_and_is_then_right() -> None:
    """On 200 images chance decides: a loss of 0.5 points looks like more than one in many of these sets."""
    most = []
    for seed in range(8):
        full = right(20_000, 0.1, 100 + seed)
        processes = MadeUpProcesses({FP32: full, INT8: right(20_000, 0.0055, 200 + seed, full)})
        found = accuracies(processes)
        assert found(INT8) == ""
        change = found.found[INT8].change
        assert change is not None
        assert -change.low < 0.01
        counts = [count for one, count in processes.asked if one == INT8]
        assert counts == [count for one, count in processes.asked if one == FP32]  # always the same images
        most.append(max(counts))
    assert sum(count > 200 for count in most) >= 5


def test_what_the_images_can_not_tell_keeps_the_more_exact_file() -> None:
    full = right(100, 0.1)
    processes = MadeUpProcesses({FP32: full, INT8: full, OTHER: full})
    found = accuracies(processes)
    assert found(INT8) == (
        "may lose more than 1.0 points: loses nothing (from a gain of 1.7 points to a loss of 1.7 points) on 100 images"
    )
    assert found(FP32) == ""
    assert found(OTHER) == ""  # in another engine, but in the same precision


def test_a_larger_loss_that_is_allowed_needs_fewer_images() -> None:
    full = right(200, 0.1)
    processes = MadeUpProcesses({FP32: full, INT8: full})
    assert accuracies(processes, Budget(max_drop=2))(INT8) == ""


def test_the_images_of_the_user_are_not_more() -> None:
    full = right(5000, 0.1)
    processes = MadeUpProcesses({FP32: full, INT8: full})
    assert accuracies(processes, limit=60)(INT8).endswith("on 60 images")
    assert {count for _, count in processes.asked} == {60}


def test_an_accuracy_near_its_lower_limit_takes_more_images() -> None:
    full = right(20_000, 0.1)
    processes = MadeUpProcesses({FP32: full})
    found = accuracies(processes, Budget(min_accuracy=0.89))
    assert found(FP32) == ""
    assert max(count for _, count in processes.asked) > 600
    few = MadeUpProcesses({FP32: right(60, 0.1)})
    found = accuracies(few, Budget(min_accuracy=0.87))
    found(FP32)
    assert "60 images do not show for certain that it reaches 87.0 % (" in found.judgement.doubt(found.found[FP32])


@pytest.mark.parametrize("image_s", [0.01, 0.3, 2.0])
def test_the_images_are_as_many_as_the_time_allows(image_s: float) -> None:
    full = right(20_000, 0.1)
    processes = MadeUpProcesses({FP32: full, INT8: full}, image_s=image_s)
    found = accuracies(processes)
    reason = found(INT8)
    assert processes.seconds < 180
    assert reason == "" if image_s == 0.01 else reason.startswith("may lose more than")


def test_without_time_for_the_accuracy_only_the_most_exact_file_is_kept() -> None:
    full = right(20_000, 0.1)
    processes = MadeUpProcesses({FP32: full, INT8: full}, image_s=20.0)
    found = accuracies(processes)
    assert found(INT8) == NOT_MEASURED
    assert found(FP32) == ""
    strict = accuracies(MadeUpProcesses({FP32: full}, image_s=20.0), Budget(min_accuracy=0.5))
    assert strict(FP32) == NOT_MEASURED


@pytest.mark.parametrize(("limit", "count"), [(6, 6), (5, 4), (12, 12), (100, 12)])
def test_the_images_come_from_all_classes(limit: int, count: int, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for number in range(4):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    dataset = spread(DatasetSelection(str(tmp_path)), limit, 12).open()
    assert len(dataset) == count
    assert {sample.label for sample in dataset.samples} == {0, 1, 2}


def test_a_limit_of_the_user_is_kept() -> None:
    own = DatasetSelection("digits", limit=7, every=3)
    assert spread(own, 5, 100) is own
    assert spread(DatasetSelection("digits"), None, 100) == DatasetSelection("digits")
