"""The sensitivity of each layer, as numbers, text, JSON and a page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecnn.benchmarks.report.sensitivity_page import sensitivity_page
from edgecnn.export import Calibration
from edgecnn.export.budget.noise import signal_to_noise
from edgecnn.export.budget.sensitivity import Sensitivities, measure
from edgecnn.export.prepared import PreparedModel
from edgecnn.layer_sensitivity import LayerSensitivity, SensitivityReport
from tests.export.budget.conftest import SENSITIVE

LAYERS = ["early", "wide", "mix", "late", "head"]


@pytest.fixture(scope="module")
def found(uneven_model: PreparedModel, uneven_calibration: Calibration) -> Sensitivities:
    return measure(uneven_model.program("onnx"), uneven_calibration.feeds(uneven_model.card)[:8])


def test_the_layers_around_the_uneven_tensor_are_the_most_sensitive(found: Sensitivities) -> None:
    assert [layer.name for layer in found.found] == LAYERS
    assert {*found.order()[:2]} == SENSITIVE
    assert found.decibels(found.order()[1]) < found.decibels(found.order()[2])
    assert found.whole_db < 10


def test_a_first_layer_of_seven_bits_counts_six_decibels_more() -> None:
    layers = tuple(LayerSensitivity(name, 9, decibels) for name, decibels in (("stem", 25.0), ("middle", 20.0), ("head", 30.0)))
    found = Sensitivities((), layers, 15.0)
    assert found.order() == ["middle", "stem", "head"]
    assert found.order(first_layer_bits=7) == ["stem", "middle", "head"]


def test_the_report_is_text_json_and_a_page(found: Sensitivities) -> None:
    report = SensitivityReport("un<even", "tinted noise", 8, "min-max", found.whole_db, found.found)
    assert report.text().split("\n")[3].startswith("mix")
    assert [layer["name"] for layer in json.loads(report.json())["layers"]] == LAYERS
    page = sensitivity_page(report)
    assert all(f"<td>{name}</td>" in page for name in LAYERS)
    assert "un&lt;even" in page


def test_each_channel_of_a_list_of_boxes_counts() -> None:
    boxes = np.concatenate([np.full((1, 1, 50), 600.0), np.full((1, 1, 50), 0.5)], 1)
    rounded = boxes + np.array([1.0, 0.4])[None, :, None]
    of_channels = (20 * np.log10(600) + 20 * np.log10(0.5 / 0.4)) / 2
    assert signal_to_noise([boxes], [rounded]) == pytest.approx(of_channels, abs=0.01)


def test_outputs_that_are_not_finite_are_all_noise() -> None:
    assert signal_to_noise([np.ones((2, 3))], [np.full((2, 3), np.nan)]) == -120
