"""QDQ graphs with ranges trained by QAT, passed to ONNX Runtime's quantizer instead of a calibration."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.cpus import usable_cpus
from edgecnn.export.quantize.qat_ranges import Range, TrainedRanges, propagate
from edgecnn.export.quantize.qdq import as_pixels, named_by_output
from edgecnn.types import Array

PASS_THROUGH = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "MaxPool", "Resize", "Pad", "Slice", "Gather", "Split")
UNSUPPORTED = ("BatchNormalization",)  # its scale would be quantized per tensor, which the training did not simulate


def quantize_trained(program: Any, trained_ranges: TrainedRanges) -> Any:
    """``program`` with QDQ pairs at the trained ranges; operators with a tensor of unknown range stay in floating point.

    Raises ``InputError`` where a trained range matches no tensor of the graph.
    """
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    model = _prepared(program)
    known = _known(model.graph, trained_ranges)
    # nodes_to_exclude selects nodes by name, and converters leave names empty or duplicate
    head = named_by_output(model)
    unknown = [node.name for node in model.graph.node if not _is_known(node, known, model.graph)]
    types = sorted(({*QDQRegistry, *QLinearOpsRegistry}) - {*UNSUPPORTED})
    data = {name: tuple(np.array(end, np.float32) for end in ends) for name, ends in known.items()}
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, data),
        nodes_to_quantize=[],
        nodes_to_exclude=[*head, *unknown],
        op_types_to_quantize=types,
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True, "TensorQuantOverrides": as_pixels(model)},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result = onnx.ModelProto()
    result.CopyFrom(quantizer.model.model)
    return result


def _prepared(program: Any) -> Any:
    """The graph after ONNX Runtime's pre-quantization optimizations."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        plain, prepared = Path(folder) / "plain.onnx", Path(folder) / "prepared.onnx"
        onnx.save(program, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        return onnx.load(prepared)


def _known(graph: Any, trained_ranges: TrainedRanges) -> dict[str, Range]:
    """Ranges by tensor name: trained ranges, propagated ranges, and inputs read only by a ReLU, which training does not round."""
    matched = trained_ranges.match(_values(graph, trained_ranges.image))
    links = ((node.input[0], name) for node in graph.node if node.op_type in PASS_THROUGH for name in node.output)
    known = propagate(matched, links)
    for node in graph.node:
        if node.op_type == "Relu" and node.output[0] in known and len(_readers(graph, node.input[0])) == 1:
            known.setdefault(node.input[0], known[node.output[0]])
    return known


def _values(graph: Any, image: Array) -> dict[str, Array]:
    """The value of every intermediate tensor for the image."""
    import onnx
    import onnxruntime

    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    names = [name for node in graph.node for name in node.output if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    # optimizations would fuse operators, and the tensors between them would disappear
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = usable_cpus(), 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: image}), strict=True))


def _is_known(node: Any, known: Mapping[str, Range], graph: Any) -> bool:
    return all(name in known for name in _activations(node, graph))


def _activations(node: Any, graph: Any) -> Iterator[str]:
    """Inputs that other nodes produce, and all outputs: no constants."""
    made = {name for other in graph.node for name in other.output}
    yield from (name for name in node.input if name in made)
    yield from node.output


def _readers(graph: Any, name: str) -> list[Any]:
    return [node for node in graph.node if name in node.input]
