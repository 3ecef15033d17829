from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

import torch
from torch import nn

from edgecnn.benchmarks.figures import architecture_list, architectures
from edgecnn.benchmarks.figures.architecture_list import ARCHITECTURES, Architecture


def test_there_are_30_networks_of_three_packages_with_names_of_their_own() -> None:
    names = [one.name for one in ARCHITECTURES]
    assert len(set(names)) == len(names) >= 30
    assert {one.package for one in ARCHITECTURES} == {"timm", "torchvision", "smp"}


def test_the_batch_norms_of_a_random_network_get_statistics() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)).eval()
    with torch.no_grad():
        network[3].weight.mul_(100)
    architecture_list._settle(network, 32)
    assert not any(module.training for module in network if isinstance(module, nn.ReLU))
    output = network.eval()(architecture_list._noise(16, 32))
    assert float(output.detach().std()) == pytest.approx(1, abs=0.2)


def test_a_file_that_is_not_kept_has_its_own_reason() -> None:
    said = "net-int8.onnx: OUT OF TOLERANCE, not kept\nerror: net-fp16.onnx differs from PyTorch: real: mean error; not kept\n"
    assert architectures._reason(said, "int8") == "net-int8.onnx: OUT OF TOLERANCE, not kept"
    assert architectures._reason(said, "fp32").startswith("error: net-fp16.onnx")
    assert architectures._reason("", "fp32") == "ended without a word"


def test_what_a_record_holds_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pretend(one: Architecture, format: str, precisions: list[str], data: list[str], seconds: int) -> dict[str, Any]:
        asked.append(f"{one.name} {format}")
        cells = dict.fromkeys(precisions, "kept" if format == "onnx" else "error: no")
        return {"seconds": 1.0, "code": 0, "cells": cells, "left_behind": []}

    monkeypatch.setattr(architectures, "try_export", pretend)
    words = ["--only", "timm_resnet18", "--json", str(tmp_path / "a.json")]
    assert CliRunner().invoke(architectures.command, [*words, "--format", "onnx"], catch_exceptions=False).exit_code == 0
    done = CliRunner().invoke(architectures.command, words, catch_exceptions=False)
    assert asked == ["timm_resnet18 onnx", "timm_resnet18 tflite", "timm_resnet18 openvino"]
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["kept"], record["of"]) == (1, 3)
    row = next(line for line in done.output.splitlines() if line.startswith("timm_resnet18  "))
    assert row.split() == ["timm_resnet18", "ok", "X", "X"]
