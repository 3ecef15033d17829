"""QDQ graphs as ONNX Runtime's quantizer leaves them, made smaller and quicker without changing a number."""

from __future__ import annotations

from typing import Any

from edgecnn.export.graph import IMAGE


def as_pixels(model: Any) -> dict[str, list[dict[str, Any]]]:
    """The override that quantizes raw pixels as what they are, scale 1 and zero-point 0; {} where the graph scales them first."""
    cast = _image_cast(model.graph)
    if cast is None or not all(node.op_type == "Conv" for node in _readers(model.graph, cast.output[0])):
        return {}
    import numpy as np
    from onnxruntime.quantization import QuantType

    exact = {"quant_type": QuantType.QUInt8, "scale": np.array(1.0, np.float32), "zero_point": np.array(0, np.uint8)}
    return {cast.output[0]: [exact]}


def slim(model: Any) -> Any:
    """Without a cast that is undone at once, zero-points that are zero, names and shapes of inner tensors: a tenth of a small file."""
    graph = model.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return model  # a branch or loop reads names of the graph around it
    _drop_cast(graph)
    _drop_zero_points(graph)
    used = {name for node in graph.node for name in node.input} | {port.name for port in graph.output}
    _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])
    _rename(graph)
    del graph.value_info[:]
    return model


def _image_cast(graph: Any) -> Any | None:
    """The node that makes real numbers of the uint8 image, behind nothing but a transposition."""
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
    """uint8 -> float -> uint8 with scale 1 and zero-point 0 is nothing: let the DequantizeLinear read the pixels."""
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
    _keep(graph.node, [node for node in graph.node if node not in (cast, readers[0])])


def _drop_zero_points(graph: Any) -> None:
    """Of weights and biases, whose zero-point is zero for every channel, which is what none means."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 3 and node.input[0] in constants:
            zero_point = constants.get(node.input[2])
            if zero_point is not None and not numpy_helper.to_array(zero_point).any():
                del node.input[2]


def _rename(graph: Any) -> None:
    """Inner tensors get numbers for names; nodes need none."""
    short = {port.name: port.name for port in (*graph.input, *graph.output)} | {"": ""}
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [short.setdefault(name, f"t{len(short)}") for name in names]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]


def _keep(field: Any, items: list[Any]) -> None:
    kept = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(kept)
