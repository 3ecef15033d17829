"""Sensitivities are measured once for all formats of an export."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.errors import InputError
from edgecnn.export.budget.sensitivity import Sensitivities
from edgecnn.export.budget.shared import SharedSensitivities
from edgecnn.export.quantize.layers import Layer
from edgecnn.layer_sensitivity import LayerSensitivity


def test_the_second_format_gets_what_the_first_one_measured(tmp_path: Path) -> None:
    calls = []

    def measure() -> Sensitivities:
        calls.append(1)
        return Sensitivities((Layer("stem", 9, (1.0, 1.0, 2.0)),), (LayerSensitivity("stem", 9, 12.5),), 3.0)

    first, second = (SharedSensitivities(tmp_path).get(measure) for _ in range(2))
    assert calls == [1]
    assert first == second


def test_a_failed_measurement_is_not_kept(tmp_path: Path) -> None:
    def refuse() -> Sensitivities:
        raise InputError("no ONNX graph", "none")

    for _ in range(2):
        with pytest.raises(InputError, match="no ONNX graph"):
            SharedSensitivities(tmp_path).get(refuse)
