"""Threads and requests are chosen by measuring, once for a model and an autotuner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.cpus import usable_cpus
from edgecnn.errors import EdgeCnnError
from edgecnn.runtime.model import autotune
from edgecnn.runtime.model.autotune import Autotuner
from edgecnn.runtime.model.parallelism import Goal, Parallelism, candidates
from edgecnn.runtime.model.preload import BackendPreloader
from tests.contracts.tiny import Graph, write
from tests.runtime.model.files import classifier


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "TRIAL_S", 0.005)


@pytest.mark.parametrize(
    ("cpus", "goal", "expected"),
    [
        (1, "throughput", (Parallelism(None, 2),)),
        (1, "latency", (Parallelism(None, 1),)),
        (2, "throughput", (Parallelism(2, 3), Parallelism(2, 2), Parallelism(2, 1))),
        (2, "latency", (Parallelism(None, 1), Parallelism(1, 1))),
        (8, "latency", (Parallelism(None, 1), Parallelism(4, 1), Parallelism(1, 1))),
    ],
)
def test_candidates(cpus: int, goal: Goal, expected: tuple[Parallelism, ...]) -> None:
    assert candidates(cpus, goal) == expected


@pytest.mark.parametrize("goal", ["throughput", "latency"])
def test_the_winner_is_open_and_the_trial_is_not_repeated(goal: Goal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tuner = classifier(tmp_path), Autotuner()
    with tuner.open(path, goal=goal) as predictor:
        assert predictor(np.zeros((9, 9, 3), np.uint8)).top1 == 1
        chosen = Parallelism(predictor.threads, predictor.backend.concurrency)
    assert [Parallelism(trial.threads, trial.requests) for trial in predictor.trials] == list(
        candidates(usable_cpus(), goal) if usable_cpus() > 1 else ()
    )
    assert all(trial.ms > 0 for trial in predictor.trials)
    monkeypatch.setattr(autotune, "_seconds_per_inference", lambda *_: pytest.fail("measured again"))
    with tuner.open(path, goal=goal) as again:
        assert again.trials == predictor.trials
        assert Parallelism(again.threads, again.backend.concurrency) == chosen


def test_another_autotuner_measures_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, measured = classifier(tmp_path), []
    monkeypatch.setattr(autotune, "usable_cpus", lambda: 2)
    monkeypatch.setattr(autotune, "_seconds_per_inference", lambda _, requests: measured.append(requests) or 1.0)
    for tuner in (Autotuner(), Autotuner()):
        tuner.open(path, goal="throughput").close()
    assert measured == [3, 2, 1] * 2


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        pytest.param({5: 1.0, 4: 0.5, 1: 0.7}, Parallelism(4, 4), id="fastest"),
        pytest.param({5: 1.0, 4: 0.98, 1: 0.96}, Parallelism(4, 5), id="default-unless-clearly-faster"),
    ],
)
def test_which_candidate_wins(
    seconds: dict[int, float], best: Parallelism, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autotune, "usable_cpus", lambda: 4)
    monkeypatch.setattr(autotune, "_seconds_per_inference", lambda _, requests: seconds[requests])
    with Autotuner().open(classifier(tmp_path), goal="throughput") as predictor:
        assert Parallelism(predictor.threads, predictor.backend.concurrency) == best


def test_the_first_candidate_is_the_preloaded_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "usable_cpus", lambda: 1)
    path, preloader = classifier(tmp_path), BackendPreloader()
    preloader.start(path, requests=2)
    with preloader, Autotuner(preloader).open(path, goal="throughput") as predictor:
        assert predictor.backend.concurrency == 2
        preloader.close()  # closes what was not taken
        assert predictor(np.zeros((9, 9, 3), np.uint8)).top1 == 1


def test_a_model_that_fails_its_trial_is_an_error(tmp_path: Path) -> None:
    other = Graph({"logits": np.zeros((1, 3), np.float32)}, (1, 4, 4, 3))
    with pytest.raises(EdgeCnnError):
        Autotuner().open(write(tmp_path, "onnx", other), goal="throughput")
