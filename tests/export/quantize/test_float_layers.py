"""Layers that a QDQ graph leaves in float are computed in float by ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export import Calibration, prepare
from edgecnn.export.budget.noise import signal_to_noise
from edgecnn.export.formats import to_onnx
from edgecnn.export.quantize.layers import layers_of, onnx_operators
from edgecnn.export.quantize.plan import QuantizationPlan
from edgecnn.types import Array
from tests.export.budget.conftest import tinted


def uneven_net(*, bias: bool) -> nn.Module:
    """Its second layer has channels of very different sizes, which one scale for all of them rounds away; the third equalizes them."""
    torch.manual_seed(3)
    sizes = torch.logspace(0, -4, 8)
    first, second, third = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, bias=bias), nn.Conv2d(8, 8, 1)
    with torch.no_grad():
        second.weight.mul_(sizes[:, None, None, None])
        if second.bias is not None:
            second.bias.mul_(sizes)
        third.weight.div_(sizes[None, :, None, None])
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


def outputs(model: Any, feeds: Any, *, exact: bool) -> Array:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if exact:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, dict(feed))[0] for feed in feeds])


def mixed_graph(*, bias: bool) -> tuple[Any, Any]:
    """The QDQ graph with the second layer in float, and the images."""
    preprocess = Preprocess(size=(24, 24), resize="stretch", std=(255.0,))
    card = ModelCard(name="net", task="raw", labels=(), preprocess=preprocess, decode=Decode("raw"))
    prepared = prepare(uneven_net(bias=bias), card)
    feeds = Calibration(tinted(8, 1), "tinted noise", force=True).feeds(prepared.card)
    calibration = to_onnx.calibrate(prepared.program("onnx"), feeds)
    layers = layers_of(onnx_operators(calibration.model.graph))
    return to_onnx.int8(calibration, QuantizationPlan(keep=frozenset([layers[1].name]), layers=layers)), feeds


def test_the_engine_does_not_round_the_weights_of_a_layer_in_float() -> None:
    for bias in (True, False):
        graph, feeds = mixed_graph(bias=bias)
        onnx.checker.check_model(graph)
        exact = outputs(graph, feeds, exact=True)
        assert signal_to_noise([exact], [outputs(graph, feeds, exact=False)]) > 30


def test_the_bias_of_a_layer_in_float_keeps_its_exact_values() -> None:
    graph, _ = mixed_graph(bias=True)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    makers = {node.output[0]: node for node in graph.graph.node}
    (layer,) = (node for node in graph.graph.node if node.op_type == "Conv" and node.input[1] in constants)
    codes, scales = (constants[name] for name in makers[layer.input[2]].input)
    bias = uneven_net(bias=True)[2].bias  # type: ignore[index]
    assert np.array_equal(codes * scales, bias.detach().numpy())
