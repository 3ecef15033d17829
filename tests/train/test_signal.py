"""Training of signals, and a run that notices a change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.live import CameraConfig, RunConfig, run
from edgecnn.live.config import AnalyticsConfig
from edgecnn.models import load_checkpoint
from edgecnn.train import TrainConfig, train
from edgecnn.types import Event

LENGTH = 2048


def tone(hertz: float, samples: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, samples)
    return np.sin(2 * np.pi * hertz * np.arange(samples) / 1000) + noise


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    for name, hertz in (("low", 20), ("high", 120)):
        (folder / "data" / name).mkdir(parents=True)
        for index in range(4):
            rows = "\n".join(f"{value:.4f}" for value in tone(hertz, LENGTH * 3, index))
            (folder / "data" / name / f"{index}.csv").write_text(f"x\n{rows}")
    return train(configured(folder / "data", folder / "out"), lambda line: None)


def configured(data: Path, out: Path, **options: object) -> TrainConfig:
    return TrainConfig(
        model="signalnet",
        data=(str(data),),
        out=out,
        model_options={"widths": (8, 8), **options},
        epochs=30,
        batch=8,
        lr=0.005,
        ema=0.5,
        val_fraction=0.25,
        workers=0,
        amp="fp32",
    )


def test_a_network_learns_windows_and_keeps_how_they_are_made(model: Path) -> None:
    _, card = load_checkpoint(model)
    assert card.preprocess.signal is not None
    assert card.preprocess.signal.channels == ("x",)
    assert card.preprocess.signal.hop == LENGTH // 2
    assert card.training["scores"]["top1"] == 1.0
    assert ModelCard.from_json(card.to_json()) == card


def test_a_change_that_stays_is_an_event(model: Path, tmp_path: Path) -> None:
    rows = np.concatenate([tone(20, LENGTH * 4, 90), tone(120, LENGTH * 4, 91)])
    (tmp_path / "log.csv").write_text("x\n" + "\n".join(f"{value:.4f}" for value in rows))
    events: list[Event] = []
    analytics = AnalyticsConfig(class_score=0.6, class_hold_s=2.0)
    camera = CameraConfig(source=f"{tmp_path / 'log.csv'}?rate=1000", model=model, analytics=analytics)
    run(RunConfig(cameras=(camera,), log="off"), on_result=lambda result: events.extend(result.events))
    assert [(event.details["from"], event.details["to"]) for event in events] == [("", "low"), ("low", "high")]


def test_windows_that_do_not_fit_the_network_are_refused(model: Path, tmp_path: Path) -> None:
    data = model.parents[1] / "data"
    with pytest.raises(InputError, match="1 channels and 2048 samples do not fit a model for 1 and 512"):
        train(configured(data, tmp_path / "out", size=(1, 512)), lambda line: None)


def test_a_signal_needs_a_model_of_signals_and_the_other_way_round(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is for signals, but scene:cups is none"):
        run(RunConfig(cameras=(CameraConfig(source="scene:cups", model=model),), log="off"))
