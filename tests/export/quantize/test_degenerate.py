"""int8 of what has no range: channels of zeros, layers that are always 0, constant branches; and pools that count no padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export import Calibration, prepare
from edgecnn.export.formats import to_onnx, to_openvino, to_tflite
from edgecnn.export.prepared import PreparedModel
from edgecnn.runtime.backends import open_backend

CARD = ModelCard(name="net", task="raw", labels=(), preprocess=Preprocess(size=(24, 24), std=(255.0,)), decode=Decode("raw"))
EXPORTERS = {"onnx": to_onnx, "tflite": to_tflite, "openvino": to_openvino}


class WithoutRange(nn.Module):
    """Channels of zeros, a layer behind whose ReLU nothing is left, one that is its bias alone, and channels that are a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.dead, self.behind, self.constant = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.depthwise, self.last, self.head = nn.Conv2d(24, 24, 3, 1, 1, groups=24), nn.Conv2d(24, 8, 3, 2, 1), nn.Linear(8, 4)
        with torch.no_grad():
            self.norm.weight[2:4], self.norm.bias[2] = 0, 0.3
            self.norm.weight[4], self.norm.bias[4] = 1e-20, 0.5
            self.dead.bias.fill_(-1000)  # type: ignore[union-attr]
            self.constant.weight.zero_()
            self.constant.bias.fill_(0.25)  # type: ignore[union-attr]
            self.depthwise.weight[5] = 0
            self.last.weight[1] = 0

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Four numbers, and four zeros."""
        x = self.norm(self.stem(x)).relu()
        sums = x + self.dead(x).relu() + self.behind(self.dead(x).relu())
        x = self.depthwise(torch.cat([sums, self.constant(x), torch.zeros_like(x)], 1))
        found = self.head(self.last(x).relu().mean((2, 3)))
        return {"found": found, "nothing": found * 0}


class Pools(nn.Module):
    """Averages that do not count the padding, also where a window ends outside."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, 4)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.ceiling = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Four numbers."""
        x = self.last(self.ceiling(self.pool(self.first(x).relu()))).relu()
        return {"found": self.head(x.mean((2, 3)))}


def _prepared(network: type[nn.Module]) -> PreparedModel:
    torch.manual_seed(0)
    return prepare(network().eval(), CARD)


@pytest.mark.parametrize("format", EXPORTERS)
@pytest.mark.parametrize("network", [WithoutRange, Pools])
def test_int8_is_right(network: type[nn.Module], format: str, tmp_path: Path) -> None:
    prepared = _prepared(network)
    images = list(np.random.default_rng(1).integers(0, 256, (8, 24, 24, 3), np.uint8))
    program = prepared.lowered(format, "int8", Calibration(images, "noise", force=True))
    path = tmp_path / f"net{EXPORTERS[format].SUFFIX}"
    EXPORTERS[format].save(program, path)
    backend = open_backend(path)
    expected = [prepared.reference(image).outputs for image in images[:4]]
    found = [dict(backend.run({"image": image[None]})) for image in images[:4]]
    got = np.stack([one["found"] for one in found])
    backend.close()
    wanted = np.stack([one["found"] for one in expected])
    assert np.abs(got - wanted).max() < 0.02 * np.abs(wanted).max()
    assert all(not np.any(one["nothing"]) for one in found if "nothing" in one)


def test_no_scale_of_onnx_is_out_of_bounds() -> None:
    import onnx

    images = list(np.random.default_rng(1).integers(0, 256, (8, 24, 24, 3), np.uint8))
    model = _prepared(WithoutRange).lowered("onnx", "int8", Calibration(images, "noise", force=True))
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    scales = [constants[node.input[1]] for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert scales
    assert all(np.isfinite(scale).all() and (scale > 0).all() for scale in scales)
