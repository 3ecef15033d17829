"""ONNX: torch.onnx for the graph, ONNX Runtime's quantizer for QDQ int8 per channel, half-precision weights for fp16."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.card import Precision
from edgecnn.errors import InputError
from edgecnn.export.graph import Deployable
from edgecnn.export.quantize import qdq_calibration
from edgecnn.export.quantize.histogram import METHODS
from edgecnn.export.quantize.pair_limits import RECORD, RECORD_UNSIGNED, make_unsigned
from edgecnn.export.quantize.plan import PLAIN, QuantizationPlan
from edgecnn.export.quantize.qat_ranges import TrainedRanges
from edgecnn.export.quantize.qdq import simplify_qdq
from edgecnn.export.quantize.qdq_calibration import OnnxCalibration
from edgecnn.export.quantize.qdq_ranges import quantize_trained
from edgecnn.export.tensor_graph import TensorGraph
from edgecnn.types import Tensors

SUFFIX = ".onnx"
RANGES = METHODS
OPSET = 18  # the oldest opset that torch's exporter writes without conversion; read by ONNX Runtime 1.14 and later

INT8_RECORD, TRAINED_RECORD = RECORD, RECORD_UNSIGNED  # how an int8 file keeps its weights, in its card

SMALL = 64  # tensors with fewer elements, such as biases, stay float32: nothing to gain


def convert(graph: Deployable | TensorGraph, *inputs: Any) -> Any:
    """The single-precision ``onnx.ModelProto`` of a graph, without notes about Python source lines."""
    import torch

    opset = graph.options.opset or OPSET
    program = torch.onnx.export(
        graph,
        inputs,
        dynamo=True,
        input_names=list(graph.input_names),
        output_names=list(graph.names),
        opset_version=opset,
        dynamic_shapes=graph.free_axes(),
        verbose=False,
    )
    assert program is not None
    model = _bare(program.model_proto)
    written = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if written != opset:  # the exporter keeps the version that it knows where a conversion fails
        raise InputError(f"--opset: this network can't be written in opset {opset}, only in {written}", f"use --opset {written}")
    return model


def _bare(model: Any) -> Any:
    """Without the exporter's metadata: it holds source paths and is half the size of a small model."""
    for item in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    return model


def lower(program: Any, precision: Precision, feeds: list[Tensors]) -> Any:
    """The same model in another precision; ``feeds`` set the ranges of int8. ``program`` stays as it is."""
    if precision == "fp16":
        return _half(program)
    return int8(calibrate(program, feeds)) if precision == "int8" else program


def lower_trained(program: Any, trained_ranges: TrainedRanges) -> Any:
    """The same model in int8 with trained ranges, weights with the codes that the training rounded to."""
    return make_unsigned(trained_qdq(program, trained_ranges, drop_cast=True))


def trained_qdq(program: Any, trained_ranges: TrainedRanges, *, drop_cast: bool) -> Any:
    """The QDQ graph with trained ranges; ``drop_cast`` as for ``edgecnn.export.quantize.qdq.simplify_qdq``."""
    return simplify_qdq(_bare(quantize_trained(program, trained_ranges)), drop_cast=drop_cast)


def save(program: Any, path: Path) -> None:
    """Write ``program`` without metadata, checked by the rules of ONNX, in the oldest version of the file format that its opset allows."""
    import onnx

    copy = _copied(program)
    del copy.metadata_props[:]
    copy.producer_name = "edgecnn"
    used = {node.domain or "ai.onnx" for node in copy.graph.node} | {"ai.onnx"}
    imports = [entry for entry in program.opset_import if (entry.domain or "ai.onnx") in used]
    del copy.opset_import[:]
    copy.opset_import.extend(imports)  # the quantizer lists domains that old engines do not know
    copy.ir_version = onnx.helper.find_min_ir_version_for(imports, ignore_unknown=True)
    onnx.checker.check_model(copy)
    path.write_bytes(copy.SerializeToString())


def _half(program: Any) -> Any:
    """Weights stored as float16 and cast to float32 on load: the arithmetic stays in float32.

    The engine folds the casts away, so it is as quick as fp32. Half-precision arithmetic was three times slower on x86, where the
    engine has no kernels for it and casts around each operator, and lost ten times more accuracy.
    """
    import onnx

    model = _copied(program)
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or _size(weight) < SMALL:
            continue
        name = weight.name
        half = onnx.numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.fp16"))
        casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _size(tensor: Any) -> int:
    return math.prod(tensor.dims)


def _copied(program: Any) -> Any:
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(program)
    return copy


def calibrate(program: Any, feeds: list[Tensors]) -> OnnxCalibration:
    """The distribution of each tensor over ``feeds``, from which ``int8`` makes the int8 model of any plan."""
    return qdq_calibration.calibrate(program, feeds)


def int8(calibration: OnnxCalibration, plan: QuantizationPlan = PLAIN) -> Any:
    """QDQ: uint8 activations, int8 weights per channel, the pair that ONNX Runtime runs fastest on x86 and on ARM.

    The weights are limited so that x86 without VNNI computes the same sums; uint8 weights need no limit and took 1.8 times as long.
    """
    return simplify_qdq(_bare(qdq_calibration.quantize(calibration, plan)))
