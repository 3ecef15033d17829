from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

import torch
from torch import nn

from edgecnn.benchmarks.figures import architecture_settle, architectures
from edgecnn.benchmarks.figures.architecture_list import ARCHITECTURES, Architecture
from edgecnn.benchmarks.figures.architectures import ArchitectureTrial


def test_there_are_30_networks_of_three_packages_with_names_of_their_own() -> None:
    names = [one.name for one in ARCHITECTURES]
    assert len(set(names)) == len(names)
    assert sum(one.package in ("timm", "torchvision", "smp") for one in ARCHITECTURES) >= 30
    assert sum(one.nine for one in ARCHITECTURES) == 18


def test_a_settled_network_has_values_of_a_trained_one_and_no_closed_branch() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
    with torch.no_grad():
        network[3].weight.mul_(100)
        network[4].weight.zero_()
    architecture_settle.settle(network, 64)
    assert not any(module.training for module in network.modules())
    scale = network[4].weight.detach()
    assert float(scale.min()) > 0.1
    output = network(architecture_settle.pictures(8, 64)).detach()
    assert float(output.std()) == pytest.approx(float(scale.square().mean().sqrt()), rel=0.5)
    assert torch.equal(network[1].weight.detach(), torch.ones(8))


def test_a_file_that_is_not_kept_has_its_own_reason() -> None:
    said = (
        "net-int8.onnx: OUT OF TOLERANCE, not kept\ninput  n\nreal  16  0.1  ok\nblack  1  0.9  OUT OF TOLERANCE\n"
        "probable cause: precision\n\nnet-fp16.onnx: NOT EXPORTED\nno operator X\nreplace it\n\nerror: 2 of 3 files\n"
    )
    refused = architectures._reason(said, "net-int8.onnx")
    assert refused == "net-int8.onnx: OUT OF TOLERANCE, not kept; black  1  0.9  OUT OF TOLERANCE; probable cause: precision"
    assert architectures._reason(said, "net-fp16.onnx") == "net-fp16.onnx: NOT EXPORTED; no operator X; replace it"
    assert architectures._reason(said, "net-fp32.onnx") == "error: 2 of 3 files"
    assert architectures._reason("", "net-fp32.onnx") == "ended without a word"


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    code, said = architectures._run(
        [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(60)"], 1, tmp_path / "a.txt"
    )
    assert (code, said.split()[-1]) == (-9, "s")


def test_the_words_of_a_table_tell_layers_in_float_refusals_and_failures() -> None:
    cells = {"fp32": "kept", "fp16": "x: OUT OF TOLERANCE, not kept", "int8": "kept"}
    found = {"timm_resnet18 onnx": {"cells": cells, "int8": {"layers_in_float": 3}}}
    found["timm_resnet18 tflite"] = {"cells": {"fp32": "error: no", "int8": "x: OVER THE BUDGET"}, "int8": None}
    rows = architectures.table(found, ["fp32", "fp16", "int8"]).splitlines()
    assert rows[1].split() == ["timm_resnet18", "ok", "R", "ok+3", "X", "-", "R", "-", "-", "-"]
    assert architectures.counts(found) == {"kept": 2, "refused": 2, "failed": 1, "of": 5}


def test_what_a_record_holds_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pretend(one: Architecture, formats: Sequence[str], trial: ArchitectureTrial) -> dict[str, Any]:
        asked.extend(f"{one.name} {format}" for format in formats)
        return {f"{one.name} {name}": {"cells": {"fp32": "kept" if name == "onnx" else "error: no"}} for name in formats}

    monkeypatch.setattr(architectures, "try_export", pretend)
    words = ["--only", "timm_resnet18", "--json", str(tmp_path / "a.json")]
    assert CliRunner().invoke(architectures.command, [*words, "--format", "onnx"], catch_exceptions=False).exit_code == 0
    CliRunner().invoke(architectures.command, words, catch_exceptions=False)
    assert asked == ["timm_resnet18 onnx", "timm_resnet18 tflite", "timm_resnet18 openvino"]
    more = ["--add", str(tmp_path / "a.json"), "--only", "timm_resnet18", "--again", "timm_resnet18", "--format", "onnx"]
    done = CliRunner().invoke(architectures.command, [*more, "--json", str(tmp_path / "b.json")], catch_exceptions=False)
    assert asked[3:] == ["timm_resnet18 onnx"]
    record = json.loads((tmp_path / "b.json").read_text())
    assert (record["kept"], record["failed"], record["of"]) == (1, 2, 3)
    row = next(line for line in done.output.splitlines() if line.startswith("timm_resnet18  "))
    assert row.split() == ["timm_resnet18", "ok", "X", "X"]
