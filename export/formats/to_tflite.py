"""TFLite: converted by litert-torch; ai-edge-quantizer sets the ranges of int8 and halves the weights of fp16."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.card import Precision
from edgecnn.cpus import usable_cpus
from edgecnn.export.graph import Deployable
from edgecnn.export.quantize.histogram import METHODS, Histogram
from edgecnn.export.quantize.layers import inner_operators, tflite_operators
from edgecnn.export.quantize.plan import PLAIN, QuantizationPlan
from edgecnn.export.quantize.qat_ranges import TrainedRanges
from edgecnn.export.quantize.saturation import narrowed, useful_ranges
from edgecnn.export.quantize.tflite_finite import finite
from edgecnn.export.quantize.tflite_histograms import histograms
from edgecnn.export.quantize.tflite_ranges import as_ends, ranges
from edgecnn.export.quantize.tflite_scales import widened, with_fitting_biases
from edgecnn.export.tensor_graph import TensorGraph
from edgecnn.types import Tensors

SUFFIX = ".tflite"
RANGES = METHODS
SIGNATURE = "serving_default"


def convert(graph: Deployable | TensorGraph, *inputs: Any) -> bytes:
    """The single-precision flatbuffer of a graph; its signature holds the names of the tensors."""
    import litert_torch

    model = litert_torch.convert(graph, inputs)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / "model.tflite"
        model.export(str(path))
        return _named(path.read_bytes(), graph.input_names)


def _named(program: bytes, inputs: Sequence[str]) -> bytes:
    """The names of the inputs, and short ones for other tensors: the converter's module paths are a tenth of an int8 file."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(program))
    for signature in model.signatureDefs:
        for place in signature.inputs:
            name = inputs[int(bytes(place.name).rpartition(b"_")[2])]  # the converter calls them args_0, args_1, ...
            model.subgraphs[signature.subgraphIndex].tensors[place.tensorIndex].name = f"{SIGNATURE}_{name}".encode()
            place.name = name.encode()
    for graph in model.subgraphs:
        ends = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in ends:
                tensor.name = f"t{index}".encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def lower(program: bytes, precision: Precision, feeds: list[Tensors]) -> bytes:
    """The same model in another precision; ``feeds`` set the ranges of int8."""
    if precision == "fp16":
        return _half(program)
    return int8(calibrate(program, feeds)) if precision == "int8" else program


def save(program: bytes, path: Path) -> None:
    """Write the flatbuffer."""
    path.write_bytes(program)


def _half(program: bytes) -> bytes:
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    job = quantizer.Quantizer(program)
    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
    )
    for operation in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_2D_TRANSPOSE"):
        job.update_quantization_recipe(".*", qtyping.TFLOperationName(operation), config, AlgorithmName.FLOAT_CASTING)
    return bytes(job.quantize().quantized_model)


def lower_trained(program: bytes, trained_ranges: TrainedRanges) -> bytes:
    """The same model in int8 with trained ranges."""
    found, free = ranges(program, trained_ranges)
    job = _int8_job(program)
    for name in free:
        keep_float(job, name)
    return with_fitting_biases(bytes(job.quantize(found).quantized_model), program)


@dataclass(slots=True, eq=False)
class TfliteCalibration:
    """A flatbuffer and the images that set its ranges; what was measured is kept for further plans."""

    program: bytes
    feeds: list[Tensors]
    ends: Any = None  # minimum and maximum of each tensor, in the quantizer's format
    histograms: dict[str, Histogram] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)  # operators that can't be int8

    def ranges(self, method: str) -> Any:
        """The range of each tensor by one of ``histogram.METHODS``, in the quantizer's format."""
        self.measure()
        if not self.histograms and method != "min-max":
            self.histograms = histograms(self.program, self.feeds)
        found = copy.deepcopy(self.ends)  # the quantizer may change them
        if method != "min-max":
            for name in found.keys() & self.histograms.keys():
                found[name] |= as_ends(self.histograms[name].range(method))
        operators = tflite_operators(self.program)
        useful = useful_ranges(operators)
        for name in found.keys() & useful.keys():
            found[name] |= as_ends(narrowed({name: _pair(found[name])}, useful)[name])
        for name, ends in widened(operators, {name: _pair(one) for name, one in found.items()}).items():
            found[name] |= as_ends(ends)
        return found

    def measure(self) -> None:
        """Measure the minimum and maximum of each tensor, once, and make ``program`` finite."""
        if self.ends is None:
            measured = _ranges(self.program, _int8_job(self.program).get_quantization_recipe(), self.feeds)
            scalar = {name: as_ends(_pair(ends)) for name, ends in measured.items()}
            self.program, self.ends, infinite = finite(self.program, scalar)
            self.kept = [*infinite, *inner_operators(self.program)]


def calibrate(program: bytes, feeds: list[Tensors]) -> TfliteCalibration:
    """What ``int8`` makes the int8 model of any plan from."""
    return TfliteCalibration(program, feeds)


def int8(calibration: TfliteCalibration, plan: QuantizationPlan = PLAIN) -> bytes:
    """Static int8: activations per tensor, weights per channel; the operators that ``plan`` keeps stay in float."""
    calibration.measure()
    job = _int8_job(calibration.program)
    for name in sorted(plan.float_operators(tflite_operators(calibration.program)) | {*calibration.kept}):
        keep_float(job, name)
    return with_fitting_biases(bytes(job.quantize(calibration.ranges(plan.ranges)).quantized_model), calibration.program)


def _pair(ends: Any) -> tuple[float, float]:
    return float(ends["min"].min()), float(ends["max"].max())


def keep_float(job: Any, name: str) -> None:
    """Leave the operator whose output is the tensor ``name`` in floating point."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    pattern = rf"(^|;){re.escape(name)}(;|$)"
    job.update_quantization_recipe(pattern, qtyping.TFLOperationName.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _int8_job(program: bytes) -> Any:
    from ai_edge_quantizer import qtyping, quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    job = quantizer.Quantizer(program, recipe.static_wi8_ai8())
    for end in (
        qtyping.TFLOperationName.INPUT,
        qtyping.TFLOperationName.OUTPUT,
    ):  # the input image is uint8 already, outputs stay float
        job.update_quantization_recipe(".*", end, algorithm_key=AlgorithmName.NO_QUANTIZE)
    return job


def _ranges(program: bytes, recipe: Any, feeds: list[Tensors]) -> Any:
    """Minimum and maximum of each tensor over all feeds.

    The quantizer's own calibrate() uses a moving average, which clips rare large values, and always 16 threads, which is slow on few
    cores.
    """
    from ai_edge_quantizer.calibrator import CalibrationMode, Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    manager = RecipeManager()
    manager.load_quantization_recipe(recipe)
    mode = CalibrationMode.CALIBRATION_PROFILER_BASED
    calibrator = Calibrator(program, num_threads=usable_cpus(), mode=mode, qsv_update_func=min_max_update)
    calibrator.calibrate({SIGNATURE: [dict(feed) for feed in feeds]}, manager)
    return calibrator.get_model_qsvs()
