"""The exporter to OpenVINO."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from edgecnn.card import Preprocess
from edgecnn.export import Artifact
from edgecnn.export.formats import to_openvino
from edgecnn.export.graph import IMAGE, Deployable
from edgecnn.export.quantize.plan import QuantizationPlan
from edgecnn.export.quiet import quiet
from tests.contracts.exporter import ExporterContract

Artifacts = dict[tuple[str, str], Artifact]


class TestOpenVino(ExporterContract):
    format = "openvino"

    def test_fp16_is_how_weights_are_stored(self, artifacts: Artifacts) -> None:
        whole, half = (artifacts["classify", precision].path.with_suffix(".bin").stat().st_size for precision in ("fp32", "fp16"))
        assert 0.49 < half / whole < 0.55

    def test_tools_write_nothing_about_themselves(self, artifacts: Artifacts) -> None:
        text = artifacts["detect", "int8"].path.read_text()
        assert "<nncf" not in text
        assert "conversion_parameters" not in text
        assert "FakeQuantize" in text


def test_a_depthwise_convolution_can_have_one_range_for_all_channels() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 4, 1)).eval()
    image = torch.from_numpy(np.random.default_rng(5).integers(0, 256, (1, 16, 16, 3), np.uint8))
    with quiet():
        program = to_openvino.convert(Deployable(layers, Preprocess((16, 16), std=(255.0,)), ("map",)), image)
        calibration = to_openvino.calibrate(program, [{IMAGE: image.numpy()}])
        counts = [
            _ranges_before_depthwise(to_openvino.int8(calibration, QuantizationPlan(ranges))) for ranges in to_openvino.RANGES
        ]
    assert dict(zip(to_openvino.RANGES, counts, strict=True)) == {
        "min-max": 8,
        to_openvino.PER_TENSOR: 1,
        "percentile": 8,
        "mse": 8,
    }


def _ranges_before_depthwise(model: Any) -> int:
    """The number of ranges of the activations in front of the depthwise convolution."""
    (layer,) = (one for one in model.get_ordered_ops() if one.get_type_name() == "GroupConvolution")
    rounding = layer.input_value(0).get_node()
    return int(np.prod(list(rounding.input_value(1).get_shape())))
