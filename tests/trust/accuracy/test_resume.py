"""An evaluation that was ended goes on from its finished parts, with the result of one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.benchmarks.measure import kept_outcomes
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.shipped import artifact
from edgecnn.trust.accuracy.measure import evaluate_in_detail

pytest.importorskip("onnxruntime")


def test_it_goes_on_from_finished_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_outcomes, "IMAGES", 4)
    data = DatasetSelection("scene:cups?seed=5&count=10&size=160x120")
    config = EvaluationConfig(file=artifact("cups"), data=data, threads=1)

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_in_detail(config, parts=tmp_path / "parts", progress=stop)
    assert len(list((tmp_path / "parts").iterdir())) == 2
    read: list[int] = []
    real = kept_outcomes.outcomes

    def counted(predict: object, samples: list[object]) -> object:
        read.append(len(samples))
        return real(predict, samples)

    monkeypatch.setattr(kept_outcomes, "outcomes", counted)
    found = evaluate_in_detail(config, parts=tmp_path / "parts")
    assert read == [2]  # the images of the part that was not finished
    assert found.to_document() == evaluate_in_detail(config).to_document()
    assert not (tmp_path / "parts").exists()
