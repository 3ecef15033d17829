"""OpenVINO IR: converted from the torch.export program; NNCF sets the ranges of int8; fp16 is how weights are stored."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.card import Precision
from edgecnn.export.graph import IMAGE, Deployable
from edgecnn.export.quantize.histogram import KEPT
from edgecnn.export.quantize.layers import openvino_operators
from edgecnn.export.quantize.plan import PLAIN, QuantizationPlan
from edgecnn.export.quantize.qat_ranges import TrainedRanges
from edgecnn.export.tensor_graph import TensorGraph
from edgecnn.types import Tensors

SUFFIX = ".xml"
NOTES = ("nncf", "conversion_parameters")  # metadata that the tools add
TRAINED_FROM = "onnx"  # format of the fp32 program that lower_trained takes
PER_TENSOR = (
    "min-max per tensor"  # NNCF's usual ranges are per channel in front of depthwise convolutions, and clip rare values there
)
RANGES = ("min-max", PER_TENSOR, "percentile", "mse")  # the methods that NNCF has
FIRST_LAYER_BITS = 7  # of weights: NNCF halves them, so that 16-bit sums do not saturate on processors without VNNI
CORRECTS_BIASES = True  # NNCF does so itself, for each plan
HALF = "half"  # rt_info flag read by save: weights are compressed on writing, the graph itself stays fp32


def convert(graph: Deployable | TensorGraph, *inputs: Any) -> Any:
    """The single-precision ``openvino.Model`` of a graph, shapes fixed, tensors named."""
    import openvino
    import torch

    with torch.no_grad():
        model = openvino.convert_model(torch.export.export(graph, inputs, dynamic_shapes=graph.free_axes()))
    free = (graph.free_axes() or {}).get(IMAGE, {})
    shapes = {
        name: [-1 if axis in free else size for axis, size in enumerate(tensor.shape)]
        for name, tensor in zip(graph.input_names, inputs, strict=True)
    }
    return _named(model, shapes, graph.names)


def _named(model: Any, inputs: Mapping[str, list[int]], names: Sequence[str]) -> Any:
    model.reshape(dict(zip(model.inputs, inputs.values(), strict=True)))
    for port, name in zip(model.inputs, inputs, strict=True):
        port.get_tensor().set_names({name})
    for port, name in zip(model.outputs, names, strict=True):
        port.get_tensor().set_names({name})
    return model


def lower(program: Any, precision: Precision, feeds: list[Tensors]) -> Any:
    """The same model in another precision; ``feeds`` set the ranges of int8. ``program`` stays as it is."""
    model = program.clone()
    if precision == "fp16":
        model.set_rt_info(True, ["edgecnn", HALF])
    return int8(calibrate(program, feeds)) if precision == "int8" else model


def lower_trained(program: Any, trained_ranges: TrainedRanges) -> Any:
    """The int8 model with trained ranges; ``program`` is the ONNX one.

    OpenVINO converts QDQ pairs to FakeQuantize, so both formats round at the same tensors with the same ranges.
    """
    import onnx
    import openvino

    from edgecnn.export.formats import to_onnx

    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / "int8.onnx"
        onnx.save(to_onnx.trained_qdq(program, trained_ranges, drop_cast=False), path)
        model = openvino.convert_model(path)
    return _named(model, {IMAGE: list(trained_ranges.image.shape)}, [output.name for output in program.graph.output])


def save(program: Any, path: Path) -> None:
    """Write ``path`` and its .bin file."""
    import openvino

    model = program.clone()
    half = model.has_rt_info(["edgecnn", HALF])
    for key in ("edgecnn", *NOTES):
        if key in model.rt_info:
            del model.rt_info[key]
    openvino.save_model(model, path, compress_to_fp16=half)
    path.write_bytes(re.sub(rb">\s+<", b"><", path.read_bytes()))  # indentation is a third of an int8 graph's XML


@dataclass(frozen=True, slots=True, eq=False)
class OpenvinoCalibration:
    """A model and the images that set its ranges; NNCF runs them for every plan."""

    model: Any
    feeds: list[Tensors]


def calibrate(program: Any, feeds: list[Tensors]) -> OpenvinoCalibration:
    """What ``int8`` makes the int8 model of any plan from."""
    model = program.clone()
    for index, operator in enumerate(model.get_ordered_ops()):  # module paths as names make the file large
        if operator.get_type_name() not in ("Parameter", "Result"):
            operator.set_friendly_name(f"n{index}")
    return OpenvinoCalibration(model, feeds)


def int8(calibration: OpenvinoCalibration, plan: QuantizationPlan = PLAIN) -> Any:
    """Preset MIXED: symmetric weights, asymmetric activations where needed; more accurate than PERFORMANCE, as fast with VNNI."""
    import nncf
    from nncf.quantization.advanced_parameters import QuantizationParameters

    keep = plan.float_operators(openvino_operators(calibration.model))
    advanced = nncf.AdvancedQuantizationParameters(activations_range_estimator_params=_estimator(plan.ranges))
    if plan.ranges == PER_TENSOR:
        advanced.activations_quantization_params = QuantizationParameters(per_channel=False)
    return nncf.quantize(
        calibration.model.clone(),
        nncf.Dataset(calibration.feeds),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration.feeds),
        ignored_scope=nncf.IgnoredScope(names=sorted(keep), validate=False),
        advanced_parameters=advanced,
    )


def _estimator(method: str) -> Any:
    """NNCF's estimator for one of ``RANGES``.

    Its default, a mean over images, clips rare large values; its histograms give the range of least squared error.
    """
    from nncf.quantization import range_estimator as nncf_ranges

    kinds, merged = nncf_ranges.StatisticsType, nncf_ranges.AggregatorType
    if method in ("min-max", PER_TENSOR):
        return nncf_ranges.RangeEstimatorParametersSet.MINMAX
    if method == "mse":
        return nncf_ranges.RangeEstimatorParametersSet.HISTOGRAM
    low, high = (
        nncf_ranges.StatisticsCollectorParameters(kinds.QUANTILE, aggregator, quantile_outlier_prob=(1 - KEPT) / 2)
        for aggregator in (merged.MIN, merged.MAX)
    )
    return nncf_ranges.RangeEstimatorParameters(low, high)
