"""Threads are picked by measuring, once for a model and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import EdgeCnnError
from edgecnn.feeds import cpu_count
from edgecnn.runtime.model import autotune
from edgecnn.runtime.model.autotune import Setting, candidates, open_measured
from tests.contracts.tiny import Graph, write


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "TRIAL_S", 0.005)
    monkeypatch.setattr(autotune, "_known", {})


def classifier(folder: Path) -> Path:
    card = ModelCard(
        name="tiny", task="classify", labels=("a", "b", "c"), preprocess=Preprocess((8, 8)).folded(), decode=Decode("softmax")
    )
    graph = Graph({"logits": np.array([[1, 3, 2]], np.float32)}, metadata={"edgecnn.card": card.to_json()})
    return write(folder, "onnx", graph)


@pytest.mark.parametrize(
    ("cpus", "many", "wanted"),
    [
        (1, True, (Setting(None, 2),)),
        (1, False, (Setting(None, 1),)),
        (2, True, (Setting(2, 3), Setting(2, 2), Setting(2, 1))),
        (2, False, (Setting(None, 1), Setting(1, 1))),
        (8, False, (Setting(None, 1), Setting(4, 1), Setting(1, 1))),
    ],
)
def test_what_is_tried(cpus: int, many: bool, wanted: tuple[Setting, ...]) -> None:
    assert candidates(cpus, many=many) == wanted


@pytest.mark.parametrize("many", [True, False])
def test_the_winner_is_open_and_the_trial_is_not_repeated(many: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = classifier(tmp_path)
    with open_measured(path, many=many) as predictor:
        assert predictor(np.zeros((9, 9, 3), np.uint8)).top1 == 1  # type: ignore[union-attr]
        known = dict(autotune._known)
    assert known[str(path), "cpu", many][0].requests == predictor.backend.concurrency
    assert [Setting(trial.threads, trial.requests) for trial in predictor.trials] == list(
        candidates(cpu_count(), many=many) if cpu_count() > 1 else ()
    )
    assert all(trial.ms > 0 for trial in predictor.trials)
    monkeypatch.setattr(autotune, "_seconds", lambda *_: pytest.fail("measured again"))
    with open_measured(path, many=many) as again:
        assert again.trials == predictor.trials


def test_the_quickest_wins_and_the_usual_one_where_they_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, usual = classifier(tmp_path), Setting(4, 5)
    monkeypatch.setattr(autotune, "cpu_count", lambda: 4)
    for times, best in (({5: 1.0, 4: 0.5, 1: 0.7}, Setting(4, 4)), ({5: 1.0, 4: 0.98, 1: 0.96}, usual)):
        monkeypatch.setattr(autotune, "_known", {})
        monkeypatch.setattr(autotune, "_seconds", lambda _, requests, times=times: times[requests])
        open_measured(path, many=True).close()
        assert [setting for setting, _ in autotune._known.values()] == [best]


def test_a_model_that_fails_its_trial_is_an_error(tmp_path: Path) -> None:
    other = Graph({"logits": np.zeros((1, 3), np.float32)}, (1, 4, 4, 3))
    with pytest.raises(EdgeCnnError):
        open_measured(write(tmp_path, "onnx", other), many=True)
