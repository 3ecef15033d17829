"""Calibrates an ONNX graph once, and quantizes it by any plan from there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.cpus import usable_cpus
from edgecnn.export.quantize.histogram import Histogram, Range
from edgecnn.export.quantize.layers import onnx_operators
from edgecnn.export.quantize.pair_limits import limit_weights
from edgecnn.export.quantize.plan import QuantizationPlan
from edgecnn.export.quantize.qdq import as_pixels
from edgecnn.export.quantize.saturation import narrowed, useful_ranges
from edgecnn.types import Array, Tensors


@dataclass(frozen=True, slots=True, eq=False)
class OnnxCalibration:
    """An ONNX graph prepared for quantization, each node named by its first output, and the distribution of each float tensor."""

    model: Any
    histograms: Mapping[str, Histogram] = field(repr=False)

    def ranges(self, method: str) -> dict[str, Range]:
        """The range of each tensor by one of ``histogram.METHODS``, without values that no activation behind it tells apart."""
        found = {name: histogram.range(method) for name, histogram in self.histograms.items()}
        return narrowed(found, useful_ranges(onnx_operators(self.model.graph)))


def calibrate(program: Any, feeds: Sequence[Tensors]) -> OnnxCalibration:
    """Run ``program`` on all ``feeds`` and note the values of its float tensors."""
    model = _prepared(program)
    names, session = _session(model)
    histograms: dict[str, Histogram] = {}
    for feed in feeds:
        made = zip(names, session.run(names, dict(feed)), strict=True)
        for name, values in (*feed.items(), *made):
            if isinstance(values, np.ndarray) and values.dtype == np.float32:
                histograms.setdefault(name, Histogram()).add(values)
    return OnnxCalibration(model, histograms)


def _prepared(program: Any) -> Any:
    """The graph after ONNX Runtime's pre-quantization optimizations; nodes are named by their first output, which is unique."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        plain, prepared = Path(folder) / "plain.onnx", Path(folder) / "prepared.onnx"
        onnx.save(program, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)  # all shapes are fixed
        model = onnx.load(prepared)
    for node in model.graph.node:
        node.name = node.output[0]
    return model


def _session(model: Any) -> tuple[list[str], Any]:
    """The names of all tensors that nodes make, and a session that returns them."""
    import onnx
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = [name for node in copy.graph.node for name in node.output if name]
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    # optimizations would fuse operators, and the tensors between them would disappear
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = usable_cpus(), 4
    return names, onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])


def quantize(calibration: OnnxCalibration, plan: QuantizationPlan, only: Sequence[str] = ()) -> Any:
    """The QDQ graph of ``plan``; ``only`` names the nodes to quantize, () for all."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    model = onnx.ModelProto()
    model.CopyFrom(calibration.model)
    data: dict[str, tuple[Array, ...]] = {
        name: tuple(np.array(end, np.float32) for end in ends) for name, ends in calibration.ranges(plan.ranges).items()
    }
    excluded = plan.float_operators(onnx_operators(model.graph))
    kept = excluded | {node.name for node in model.graph.node if only and node.name not in only}
    overrides = as_pixels(model) | limit_weights(model, kept)
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, data),
        nodes_to_quantize=list(only),
        nodes_to_exclude=sorted(excluded),
        op_types_to_quantize=sorted({*QDQRegistry, *QLinearOpsRegistry}),
        # asymmetric: activations after a ReLU are never negative and would lose half of the codes
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True, "TensorQuantOverrides": overrides},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result = onnx.ModelProto()
    result.CopyFrom(quantizer.model.model)
    return result
