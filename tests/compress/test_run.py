"""Whole runs on tiny networks and data: what they leave, and how they go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from edgecnn.compress import steps
from edgecnn.compress.config import CompressConfig
from edgecnn.compress.cost import cost_of
from edgecnn.compress.progress import step_checkpoints
from edgecnn.compress.run import compress
from edgecnn.errors import InputError
from edgecnn.models import load_checkpoint
from edgecnn.train.config import TrainConfig

Make = Callable[..., Path]


@pytest.fixture
def start(untrained: Make) -> Path:
    return untrained("resnet-s", widths=(8, 8, 16), depth=1)


def configured(digits: Path, out: Path, resume: bool = False, **changes: Any) -> CompressConfig:
    student = changes.pop("student", "")
    train = TrainConfig(model=student, data=(str(digits),), out=out, epochs=1, batch=32, ema=0.5, workers=1, resume=resume)
    return CompressConfig(train=train, rounds=2, qat_epochs=1, **changes)


def compressed(options: CompressConfig, **more: Any) -> list[str]:
    lines: list[str] = []
    compress(options, lines.append, **more)
    return lines


def same(first: Path, second: Path) -> bool:
    a, b = load_file(first), load_file(second)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_pruned_and_trained_for_int8(digits: Path, start: Path, tmp_path: Path) -> None:
    compressed(configured(digits, tmp_path / "run", checkpoint=str(start), target_macs="2x", qat=True))
    made = step_checkpoints(tmp_path / "run")
    assert [path.name for path in made] == ["00-start.safetensors", "01-prune.safetensors", "02-qat.safetensors"]
    before, pruned, _ = (cost_of(path)[0] for path in made)
    assert pruned.macs <= before.macs / 2
    assert pruned.parameters < before.parameters
    card = load_checkpoint(made[1])[1]
    assert card.training["compression"]["step"] == "prune"
    assert card.training["distillation"]["teachers"][0]["sha256"] == load_checkpoint(start)[1].sha256
    assert load_checkpoint(made[2])[0](torch.rand(1, 1, 28, 28)).shape == (1, 10)


def test_a_killed_run_resumes_to_the_same_networks(
    digits: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second round of pruning: by an exception that nothing in the run handles."""
    wanted = {"checkpoint": str(start), "target_macs": "2x", "qat": True}
    compressed(configured(digits, tmp_path / "whole", **wanted))
    real, calls = steps.train, []

    def killed(*args: Any, **named: Any) -> Path:
        calls.append(1)
        if len(calls) == 2:
            raise SystemExit
        return real(*args, **named)

    monkeypatch.setattr(steps, "train", killed)
    with pytest.raises(SystemExit):
        compressed(configured(digits, tmp_path / "killed", **wanted))
    monkeypatch.setattr(steps, "train", real)
    assert len(step_checkpoints(tmp_path / "killed")) == 1
    compressed(configured(digits, tmp_path / "killed", resume=True, **wanted))
    pairs = zip(step_checkpoints(tmp_path / "whole"), step_checkpoints(tmp_path / "killed"), strict=True)
    assert all(same(a, b) for a, b in pairs)
    lines = compressed(configured(digits, tmp_path / "killed", resume=True, **wanted))
    assert lines == ["01-prune: done before", "02-qat: done before"]


def test_a_latency_is_reached_and_measured_once_even_where_the_run_was_stopped(digits: Path, start: Path, tmp_path: Path) -> None:
    """Milliseconds stand in for a thousand MACs each, so that the test does not depend on the machine."""
    measurements: list[int] = []

    def latency_of(checkpoint: Path) -> float:
        measurements.append(1)
        return cost_of(checkpoint)[0].macs / 1000

    whole = cost_of(start)[0].macs / 1000
    options = configured(digits, tmp_path / "run", checkpoint=str(start), target_latency="9ms")
    compressed(options, latency_of=latency_of, target_ms=whole * 0.6)
    found = json.loads((tmp_path / "run/run.json").read_text())["done"]["01-prune"]
    assert found["latency_ms"] <= whole * 0.6
    record = json.loads((tmp_path / "run/01-prune/latency.json").read_text())
    assert len(record["measured_ms"]) == len(measurements)
    (tmp_path / "run/run.json").write_text(json.dumps({**json.loads((tmp_path / "run/run.json").read_text()), "done": {}}))
    before = (tmp_path / "run/01-prune.safetensors").read_bytes()
    resumed = configured(digits, tmp_path / "run", checkpoint=str(start), target_latency="9ms", resume=True)
    compressed(resumed, latency_of=latency_of, target_ms=whole * 0.1)  # what was aimed at before is still aimed at
    assert len(record["measured_ms"]) == len(measurements)
    assert (tmp_path / "run/01-prune.safetensors").read_bytes() == before


def test_a_target_out_of_reach_names_the_smallest_network_and_leaves_no_folder(digits: Path, start: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out of reach: pruning ends at [\d,]+ of"):
        compressed(configured(digits, tmp_path / "run", checkpoint=str(start), target_macs="1000x"))
    assert start.is_file()
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_must_have_the_same_configuration(digits: Path, start: Path, tmp_path: Path) -> None:
    compressed(configured(digits, tmp_path / "run", checkpoint=str(start), qat=True))
    with pytest.raises(InputError, match="holds a run; continue it with --resume"):
        compressed(configured(digits, tmp_path / "run", checkpoint=str(start), qat=True))
    with pytest.raises(InputError, match=r'was started with target_macs "", not "2x"'):
        compressed(configured(digits, tmp_path / "run", resume=True, checkpoint=str(start), qat=True, target_macs="2x"))
    with pytest.raises(InputError, match=r"--resume: .* holds no run; leave --resume out"):
        compressed(configured(digits, tmp_path / "other", resume=True, checkpoint=str(start), qat=True))


def test_the_student_is_trained_on_the_teacher_not_only_on_labels(digits: Path, untrained: Make, tmp_path: Path) -> None:
    """With all weight on a teacher that always says class 3, the student says 3."""
    path = untrained("mlp", hidden=8)
    model, card = load_checkpoint(path)
    with torch.no_grad():
        last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
        last.weight.zero_()
        last.bias.copy_(torch.eye(10)[3] * 8)
    from edgecnn.compress.distill import DistillConfig
    from edgecnn.models import save_checkpoint

    save_checkpoint(path, model, card)
    options = configured(digits, tmp_path / "run", student="mlp", teachers=(str(path),), distill=DistillConfig(weight=1.0))
    compressed(options)
    student = load_checkpoint(tmp_path / "run/01-distil.safetensors")[0]
    assert set(student(torch.rand(20, 1, 28, 28)).argmax(1).tolist()) == {3}


@pytest.mark.slow
def test_two_processes_do_the_steps_that_one_does(digits: Path, start: Path, tmp_path: Path) -> None:
    words = ["--target-macs", "2x", "--rounds", "1", "--qat", "--qat-epochs", "1", "--measure", "none", "--amp", "fp32"]
    words += ["--data", str(digits), "--epochs", "1", "--batch", "32", "--workers", "1", "--augment", "light"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "edgecnn", "compress"]
    command += [str(start), *words, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("02-qat, taught by") == 1
    assert [path.name for path in step_checkpoints(tmp_path / "run")] == [
        "00-start.safetensors",
        "01-prune.safetensors",
        "02-qat.safetensors",
    ]
    assert load_checkpoint(tmp_path / "run/02-qat.safetensors")[0](torch.rand(1, 1, 28, 28)).isfinite().all()
