"""Sensitivity of each layer: signal to noise of the network's outputs while only this layer is in int8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.cpus import usable_cpus
from edgecnn.export.budget.noise import signal_to_noise
from edgecnn.export.quantize import qdq_calibration
from edgecnn.export.quantize.layers import Layer, layers_of, onnx_operators, operators_by_layer
from edgecnn.export.quantize.plan import QuantizationPlan
from edgecnn.export.quiet import quiet
from edgecnn.layer_sensitivity import LayerSensitivity
from edgecnn.types import Array, Tensors

Progress = Callable[[int, int], None]
DECIBELS_PER_BIT = 6.02  # 20 log10(2): half the steps, twice the error


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """The layers of a network, and the sensitivity of each, in the order of the network."""

    layers: tuple[Layer, ...]
    found: tuple[LayerSensitivity, ...]
    whole_db: float  # with all layers in int8

    def order(self, first_layer_bits: int = 8) -> list[str]:
        """Names of the layers, the most sensitive first. A quantizer that gives the first layer fewer bits adds 6 dB of noise for each."""
        more = {self.found[0].name: (8 - first_layer_bits) * DECIBELS_PER_BIT} if self.found else {}
        return [one.name for one in sorted(self.found, key=lambda one: one.decibels - more.get(one.name, 0))]

    def decibels(self, name: str) -> float:
        """The sensitivity of the layer ``name``."""
        return next(one.decibels for one in self.found if one.name == name)


def measure(program: Any, feeds: Sequence[Tensors], ranges: str = "min-max", progress: Progress | None = None) -> Sensitivities:
    """Quantize each layer of the fp32 ONNX ``program`` alone and compare the outputs for all ``feeds`` with those in fp32.

    A layer is quantized with the activations behind it. ``progress`` gets the layers done and their number.
    """
    with quiet():
        calibration = qdq_calibration.calibrate(program, feeds)
    operators = onnx_operators(calibration.model.graph)
    layers = layers_of(operators)
    members = operators_by_layer(operators, layers)
    expected = _outputs(calibration.model, feeds)
    found = []
    for done, layer in enumerate(layers):
        if progress is not None:
            progress(done, len(layers))
        with quiet():
            graph = qdq_calibration.quantize(calibration, QuantizationPlan(ranges), members[layer.name])
        decibels = signal_to_noise(expected, _outputs(graph, feeds))
        found.append(LayerSensitivity(layer.name, layer.size, decibels))
    with quiet():
        whole = qdq_calibration.quantize(calibration, QuantizationPlan(ranges))
    return Sensitivities(layers, tuple(found), signal_to_noise(expected, _outputs(whole, feeds)))


def _outputs(model: Any, feeds: Sequence[Tensors]) -> list[Array]:
    """Each output for all feeds, (N, ...), computed exactly: rounding operators stay as they are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = usable_cpus(), 4
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = [session.run(None, dict(feed)) for feed in feeds]
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]
