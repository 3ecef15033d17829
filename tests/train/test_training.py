from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgecnn.errors import ArtifactError, InputError
from edgecnn.models import load_checkpoint, read_card
from edgecnn.reference_profile.profile import profile_of
from edgecnn.train import recorder
from edgecnn.train.config import TrainConfig
from edgecnn.train.run import train
from edgecnn.train.schedule import TrainingProgress, WeightAverage, learning_rate
from edgecnn.train.state import STATE, TrainState
from edgecnn.train.step import TrainingStep

TINY = {"widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 16, "head_depth": 1, "size": (64, 96)}


def options(data: Path, out: Path, **changes: Any) -> TrainConfig:
    base: dict[str, Any] = {"model": "mlp", "epochs": 2, "batch": 32, "ema": 0.9, "workers": 1, "model_options": {"hidden": 16}}
    return TrainConfig(data=(str(data),), out=out, **{**base, **changes})


def run_training(wanted: TrainConfig) -> list[str]:
    lines: list[str] = []
    train(wanted, lines.append)
    return lines


def losses(out: Path) -> list[float]:
    return [row["loss"] for row in read_card(out / "model.safetensors").training["history"]]


def same(first: Path, second: Path) -> bool:
    a, b = (load_file(folder / "model.safetensors") for folder in (first, second))
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_classifier_is_trained_and_all_files_are_written(digits: Path, tmp_path: Path) -> None:
    lines = run_training(options(digits, tmp_path / "run", model="lecture", model_options={}, epochs=6, lr=1e-2, flip=False))
    card = load_checkpoint(tmp_path / "run/model.safetensors")[1]
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0] * 0.8
    assert card.training["scores"]["part"] == "test"
    assert card.training["scores"]["top1"] > 0.5
    assert card.training["images"] == 304
    profile = profile_of(card, "it")
    assert profile is not None
    assert (profile.source, profile.images) == ("training", 300)
    assert set(profile.class_shares) <= set(range(10))
    assert card.preprocess.color == "gray"
    assert sum("top-1" in line for line in lines) == 7
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert np.array(scores["confusion"]).sum() == 60
    for name in ("confusion.png", "curves.png"):
        assert cv2.imread(str(tmp_path / "run" / name)) is not None


def test_a_detector_is_trained_and_all_files_are_written(boxes: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    wanted = options(
        boxes, tmp_path / "run", model="edgedet", model_options=TINY, epochs=24, batch=8, lr=8e-3, multiscale_fraction=0.2
    )
    run_training(dataclasses.replace(wanted, val=(str(boxes),), augment="none"))
    model, card = load_checkpoint(tmp_path / "run/model.safetensors")
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0] * 0.6
    assert card.labels == ("dark", "bright")
    assert card.training["scores"]["ap50"] > 0.2
    assert model(torch.zeros(1, 3, 64, 96))[0].shape == card.outputs[0].shape
    assert cv2.imread(str(tmp_path / "run/classes.png")) is not None


@pytest.mark.parametrize("model", ["mlp", "edgedet"])
def test_equal_seeds_give_equal_bits_and_others_do_not(digits: Path, boxes: Path, tmp_path: Path, model: str) -> None:
    data, given = (digits, {"hidden": 16}) if model == "mlp" else (boxes, TINY)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run_training(options(data, tmp_path / name, model=model, model_options=given, batch=8, limit=24, seed=seed))
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_workers_change_nothing(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.train.in_memory.CHUNK", 2)
    for workers in (1, 2):
        run_training(options(digits, tmp_path / str(workers), workers=workers, epochs=1))
    assert same(tmp_path / "1", tmp_path / "2")


def test_killed_training_goes_on_as_if_it_had_not_been(digits: Path, tmp_path: Path) -> None:
    """A real process, killed without warning in its third epoch or later, against one that ran through."""
    wanted = options(digits, tmp_path / "whole", epochs=12, model_options={})
    command = [sys.executable, "-m", "edgecnn", "train", "mlp", "--data", str(digits), "--out", str(tmp_path / "killed")]
    command += ["--epochs", "12", "--batch", "32", "--ema", "0.9", "--workers", "1"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert len(losses(tmp_path / "killed")) < 12
    lines = run_training(dataclasses.replace(wanted, out=tmp_path / "killed", resume=True))
    assert any(line.startswith("resumed after epoch") for line in lines)
    run_training(wanted)
    assert same(tmp_path / "whole", tmp_path / "killed")
    assert losses(tmp_path / "whole") == losses(tmp_path / "killed")


@pytest.mark.parametrize("last", [1, 2], ids=["first epoch", "last epoch"])
@pytest.mark.parametrize(("place", "lost"), [(recorder, "save_checkpoint"), (TrainState, "save")], ids=["checkpoint", "state"])
def test_a_training_that_stops_within_its_saving_goes_on(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int, place: Any, lost: str
) -> None:
    wanted = options(digits, tmp_path / "whole")
    train(wanted, print)
    calls, right = [], getattr(place, lost)

    def stops(*words: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == last:
            raise KeyboardInterrupt
        return right(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(place, lost, stops)
        with pytest.raises(KeyboardInterrupt):
            train(dataclasses.replace(wanted, out=tmp_path / "stopped"), print)
    resume = any((tmp_path / "stopped").iterdir())
    train(dataclasses.replace(wanted, out=tmp_path / "stopped", resume=resume), print)
    assert same(tmp_path / "stopped", tmp_path / "whole")
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")


def test_resume_wants_the_same_options(digits: Path, tmp_path: Path) -> None:
    run_training(options(digits, tmp_path / "run", epochs=1))
    with pytest.raises(InputError, match=r"was started with lr 0.002, not 0.5"):
        train(options(digits, tmp_path / "run", epochs=1, lr=0.5, resume=True))


def test_resume_of_a_broken_state_says_so(digits: Path, tmp_path: Path) -> None:
    run_training(options(digits, tmp_path / "run", epochs=1))
    state = tmp_path / "run" / STATE
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="without --resume"):
        train(options(digits, tmp_path / "run", epochs=1, resume=True))


def test_another_training_is_not_overwritten(digits: Path, tmp_path: Path) -> None:
    run_training(options(digits, tmp_path / "run", epochs=1))
    before = (tmp_path / "run/model.safetensors").read_bytes()
    with pytest.raises(InputError, match="--resume"):
        train(options(digits, tmp_path / "run", epochs=1))
    assert (tmp_path / "run/model.safetensors").read_bytes() == before


def test_diverging_loss_stops_and_keeps_the_last_good_weights(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, steps = TrainingStep.__call__, []

    def spoil(self: TrainingStep, network: torch.nn.Module, inputs: torch.Tensor, *more: Any) -> torch.Tensor:
        steps.append(1)
        return right(self, network, inputs * float("nan") if len(steps) > 2 * 9 else inputs, *more)

    monkeypatch.setattr(TrainingStep, "__call__", spoil)
    with pytest.raises(
        InputError, match=r"the loss is nan in epoch 3, step \d+; train with a lower --lr \(the checkpoint of epoch 2"
    ):
        train(options(digits, tmp_path / "run", epochs=4))
    weights = load_file(tmp_path / "run/model.safetensors")
    assert all(tensor.isfinite().all() for tensor in weights.values() if tensor.is_floating_point())


def test_a_learning_rate_that_blows_up_is_one_line(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the training diverged: .* in epoch 1, step \d+; .*nothing was saved yet"):
        train(options(digits, tmp_path / "run", lr=1e30))


def test_a_gradient_that_overflows_in_the_last_step_spoils_no_checkpoint(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, steps = TrainingStep.__call__, []

    def spoil(self: TrainingStep, *more: Any) -> torch.Tensor:
        steps.append(1)
        last = len(steps) == 2 * 9
        hook = next(self.model.parameters()).register_hook(lambda gradient: gradient * float("inf")) if last else None
        try:
            return right(self, *more)
        finally:
            if hook is not None:
                hook.remove()

    monkeypatch.setattr(TrainingStep, "__call__", spoil)
    with pytest.raises(InputError, match=r"the gradient is (inf|nan) in epoch 2, .*the checkpoint of epoch 1 is kept"):
        train(options(digits, tmp_path / "run"))
    weights = load_file(tmp_path / "run/model.safetensors")
    assert all(tensor.isfinite().all() for tensor in weights.values() if tensor.is_floating_point())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(torch.OutOfMemoryError("CUDA out of memory. Tried"), "use --batch 16", id="gpu"),
        pytest.param(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "use --batch 16", id="cpu"),
        pytest.param(MemoryError(), "use --batch 16", id="python"),
    ],
)
def test_exhausted_memory_is_one_line(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: object) -> float:
        raise error

    monkeypatch.setattr(TrainingStep, "__call__", fail)
    with pytest.raises(InputError, match=message):
        train(options(digits, tmp_path / "run"))


def test_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, 200, 1.0) for step in range(200)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(1.0)
    assert peak == 9
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=0.005)


def test_average_follows_the_weights_and_not_the_gradients() -> None:
    model = torch.nn.Linear(1, 1)
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(1.0)
    for _ in range(200):
        average.update(model, average.next_share())
    assert torch.allclose(average.model.weight, torch.ones(1, 1), atol=1e-4)
    assert not average.model.weight.requires_grad


@pytest.mark.parametrize(("model", "options_of_it"), [("lecture", {}), ("edgedet", TINY)])
def test_batches_made_on_the_device_train_as_well(
    digits: Path, boxes: Path, tmp_path: Path, model: str, options_of_it: dict[str, Any]
) -> None:
    detector = model == "edgedet"
    wanted = options(
        boxes if detector else digits,
        tmp_path / "run",
        model=model,
        model_options=options_of_it,
        epochs=24 if detector else 5,
        batch=8 if detector else 32,
        lr=8e-3,
        multiscale_fraction=0.2,
        flip=detector,
        augment="light",
        loader="device",
        val_fraction=0.0,
    )
    run_training(wanted)
    run_training(dataclasses.replace(wanted, out=tmp_path / "workers", loader="workers"))
    first, *_, last = losses(tmp_path / "run")
    assert last < first * (0.8 if detector else 0.7)
    assert last < 1.1 * losses(tmp_path / "workers")[-1]
    assert "--loader device" in read_card(tmp_path / "run/model.safetensors").training["command"]
    parts = dataclasses.replace(wanted, out=tmp_path / "parts")

    epochs: list[int] = []

    def stop(*_: object) -> dict[str, float]:
        epochs.append(1)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder.TrainRecorder, "after_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            train(parts, lambda _: None)
    train(dataclasses.replace(parts, resume=True), lambda _: None)
    assert same(tmp_path / "run", tmp_path / "parts")


@pytest.mark.parametrize("loader", ["workers", "device"])
def test_a_stopped_training_with_pasted_objects_goes_on_as_if_it_had_not_been(boxes: Path, tmp_path: Path, loader: str) -> None:
    wanted = options(
        boxes,
        tmp_path / "whole",
        model="edgedet",
        model_options=TINY,
        epochs=3,
        batch=8,
        augment="light?copy_paste=0.7",
        loader=loader,
        val_fraction=0.0,
    )
    run_training(wanted)
    card = read_card(tmp_path / "whole/model.safetensors")
    assert card.training["augmentation"]["copy_paste"] == 0.7
    assert "light?copy_paste=0.7" in card.training["command"]
    plain = dataclasses.replace(wanted, out=tmp_path / "plain", augment="light")
    run_training(plain)
    assert not same(tmp_path / "whole", tmp_path / "plain")
    parts = dataclasses.replace(wanted, out=tmp_path / "parts")

    def stop(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder.TrainRecorder, "after_save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(parts, lambda _: None)
    lines = run_training(dataclasses.replace(parts, resume=True))
    assert any(line.startswith("resumed after epoch 1") for line in lines)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_a_diverged_training_on_the_device_says_so(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="diverged"):
        train(options(digits, tmp_path / "run", lr=1e30, loader="device", augment="none"), lambda _: None)


def test_a_limit_of_time_ends_the_schedule_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("edgecnn.train.schedule.time.monotonic", lambda: now[0])
    progress, seen, shares = TrainingProgress(100, minutes=1.0), [], []
    while not progress.finished:
        share = progress.share
        seen.append(progress.epoch(share))
        shares.append(share)
        took = (
            5.0 if not seen[:-1] else 2.0 if len(seen) < 10 else 3.0
        )  # the first is slower, and later ones are of larger images
        now[0] += took
        progress.advance(share, took)
    assert progress.done == 1
    assert 50 < now[0] <= 61
    assert seen == sorted(set(seen))
    assert seen[-1] == 99
    assert sum(shares) == pytest.approx(1)


def test_the_last_epoch_is_trained_however_few_epochs_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("edgecnn.train.schedule.time.monotonic", lambda: now[0])
    progress, seen = TrainingProgress(200, minutes=1.0), []
    while not progress.finished:
        share = progress.share
        seen.append(progress.epoch(share))
        now[0] += 19.0
        progress.advance(share, 19.0)
    assert len(seen) == 3
    assert seen[-1] == 199


def test_a_limit_of_time_trains_fewer_epochs(digits: Path, tmp_path: Path) -> None:
    lines = run_training(options(digits, tmp_path / "run", epochs=4000, max_minutes=0.05, augment="none"))
    card = read_card(tmp_path / "run/model.safetensors")
    history = card.training["history"]
    assert len(history) < 4000
    assert history[-1]["progress"] == 1
    assert history[-1]["lr"] < history[len(history) // 2]["lr"]
    assert any(line.startswith("epoch 1  loss") for line in lines)
    assert any(re.match(r"top-1 \d+\.\d\d % on 60 images of digits", line) for line in lines)


def test_a_training_that_has_time_left_trains_all_epochs(digits: Path, tmp_path: Path) -> None:
    run_training(options(digits, tmp_path / "run", epochs=2, max_minutes=10))
    run_training(options(digits, tmp_path / "same", epochs=2))
    assert len(losses(tmp_path / "run")) == 2
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "same"), rel=1e-5)
