"""Every kind of network of the registry goes through the exporters: what differs between them are operators and channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from edgecnn.export import Calibration, export
from edgecnn.models import create
from edgecnn.models.new_card import new_card
from tests.export.conftest import pictures

CASES = [
    pytest.param("resnet-8", {"classes": 3, "channels": 3, "size": (16, 16), "width": 0.5}, id="free-shortcut"),
    pytest.param("mobilenet", {"classes": 3, "channels": 3, "size": (16, 16), "width": 0.1}, id="mobilenet"),
    pytest.param(
        "edgedet-n",
        {"classes": 2, "channels": 1, "size": (64, 64), "widths": (8, 8, 8, 8, 8), "depths": (1, 1, 1, 1), "neck": 8},
        id="gray-detector",
    ),
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_int8_keeps_parity(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = create(name, **options).eval()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.7, 1.3)
            torch.nn.init.normal_(layer.bias, std=0.1)
    card = new_card(name, options, ("a", "b", "c")[: options["classes"]])
    calibration = Calibration(pictures(64, (64, 64), seed=1), "made up")
    real = pictures(4, (64, 64), seed=2)
    made = export(model, card, tmp_path, format="onnx", precision="int8", calibration=calibration, verify_with=real)
    assert made.parity.passed
    assert made.card.inputs[0].shape == (1, *options["size"], options["channels"])
