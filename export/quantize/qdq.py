"""Post-processing of QDQ graphs from ONNX Runtime's quantizer: float outputs, fewer operators, smaller files."""

from __future__ import annotations

from typing import Any

from edgecnn.export.graph import IMAGE
from edgecnn.export.quantize.float_layers import keep_float_layers
from edgecnn.export.quantize.head import behind_layers
from edgecnn.export.quantize.layers import onnx_operators


def as_pixels(model: Any) -> dict[str, list[dict[str, Any]]]:
    """The override that quantizes raw pixels exactly, scale 1 and zero-point 0; {} where the graph scales them first."""
    cast = _image_cast(model.graph)
    if cast is None or not all(node.op_type == "Conv" for node in _readers(model.graph, cast.output[0])):
        return {}
    import numpy as np
    from onnxruntime.quantization import QuantType

    exact = {"quant_type": QuantType.QUInt8, "scale": np.array(1.0, np.float32), "zero_point": np.array(0, np.uint8)}
    return {cast.output[0]: [exact]}


def named_by_output(model: Any) -> list[str]:
    """Name each node by its first output; returns the names of those behind the last layers, which stay in float."""
    for node in model.graph.node:
        node.name = node.output[0]
    return sorted(behind_layers(onnx_operators(model.graph)))


def simplify_qdq(model: Any, *, drop_cast: bool = True) -> Any:
    """The same model with float tensors behind the last layers, and without redundant operators, constants and names.

    ``drop_cast`` removes Cast and QuantizeLinear of the uint8 image where together they are the identity.
    """
    graph = model.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return model  # a subgraph (If, Loop) reads names of the outer graph
    _free_tail(graph)
    if drop_cast:
        _drop_cast(graph)
    _drop_zero_points(graph)
    keep_float_layers(graph)
    _drop_unused(graph)
    _rename(graph)
    del graph.value_info[:]
    return model


def _free_tail(graph: Any) -> None:
    """Remove quantization between the last layers and the outputs."""
    makers = {name: node for node in graph.node for name in node.output}
    ends = {port.name for port in graph.output}
    for name in sorted(behind_layers(onnx_operators(graph))):
        source = _before_quantization(name, makers)
        if source is not None:
            _bypass(graph, name, source, makers, is_end=name in ends)


def _before_quantization(name: str, makers: dict[str, Any]) -> str | None:
    """The float tensor in front of the QuantizeLinear and DequantizeLinear that produce ``name``, or None."""
    dequantize = makers.get(name)
    if dequantize is None or dequantize.op_type != "DequantizeLinear":
        return None
    quantize = makers.get(dequantize.input[0])
    return None if quantize is None or quantize.op_type != "QuantizeLinear" else str(quantize.input[0])


def _bypass(graph: Any, name: str, source: str, makers: dict[str, Any], *, is_end: bool) -> None:
    """Connect the consumers of ``name`` to ``source``; a graph output keeps its name and is produced by the float operator."""
    if not is_end:
        for node in graph.node:
            node.input[:] = [source if given == name else given for given in node.input]
        return
    makers[name].output[0] = f"{name}.quantized"
    makers[name] = makers.pop(source)
    for node in graph.node:
        node.output[:] = [name if made == source else made for made in node.output]
        node.input[:] = [name if given == source else given for given in node.input]


def _image_cast(graph: Any) -> Any | None:
    """The Cast of the uint8 image to float, with at most a Transpose in front, or None."""
    name = IMAGE
    while True:
        readers = _readers(graph, name)
        if len(readers) != 1 or readers[0].op_type not in ("Transpose", "Cast"):
            return None
        if readers[0].op_type == "Cast":
            return readers[0]
        name = readers[0].output[0]


def _readers(graph: Any, name: str) -> list[Any]:
    return [node for node in graph.node if name in node.input]


def _drop_cast(graph: Any) -> None:
    """uint8 -> float -> uint8 with scale 1 and zero-point 0 is the identity: DequantizeLinear reads the pixels directly."""
    from onnx import numpy_helper

    cast = _image_cast(graph)
    readers = [] if cast is None else _readers(graph, cast.output[0])
    if cast is None or len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        return
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name in readers[0].input}
    if [float(constants[name]) for name in readers[0].input[1:]] != [1.0, 0.0]:
        return
    for node in _readers(graph, readers[0].output[0]):
        node.input[0] = cast.input[0]


def _drop_zero_points(graph: Any) -> None:
    """Remove zero-points of weights and biases: all zeros, which is the default of DequantizeLinear.

    Those of a Gemm stay: ONNX Runtime 1.19 fuses it into an operator that needs them.
    """
    from onnx import numpy_helper

    needed = {name for node in graph.node if node.op_type == "Gemm" for name in node.input}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 3 and node.input[0] in constants:
            if node.output[0] in needed:
                continue
            zero_point = constants.get(node.input[2])
            if zero_point is not None and not numpy_helper.to_array(zero_point).any():
                del node.input[2]


def _rename(graph: Any) -> None:
    """Short names for intermediate tensors, none for nodes: names are a large part of a small file."""
    short = {port.name: port.name for port in (*graph.input, *graph.output)} | {"": ""}
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [short.setdefault(name, f"t{len(short)}") for name in names]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]


def _drop_unused(graph: Any) -> None:
    """Remove nodes and constants whose outputs are not used, repeatedly, until none is left."""
    ends, nodes, before = {port.name for port in graph.output}, list(graph.node), 0
    while len(nodes) != before:
        before, read = len(nodes), ends | {name for node in nodes for name in node.input}
        nodes = [node for node in nodes if any(name in read for name in node.output)]
    _keep(graph.node, nodes)
    read = {name for node in graph.node for name in node.input}
    _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in read])


def _keep(field: Any, items: list[Any]) -> None:
    # copies: deleting from a repeated protobuf field invalidates the messages that were in it
    kept = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(kept)
