"""The quantized tensors inside ONNX, TFLite and OpenVINO files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.integrity.protobuf import fields
from edgecnn.runtime.model.output_ranges import node_texts, onnx_number
from edgecnn.trust.collapse.quantized_tensor import QuantizedTensor
from edgecnn.trust.inside.onnx_inside import inner_session
from edgecnn.trust.inside.tflite_inside import keeping_interpreter
from edgecnn.types import Array, Tensors

_GRAPH, _NODE, _TENSOR = 7, 1, 5  # fields of ONNX's ModelProto and GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _TENSOR_NAME = 1, 2, 4, 8


class OnnxInner:
    """What each QuantizeLinear of an ONNX file gives; the file runs with these tensors as further outputs."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        found = _quantized(data)
        self.tensors = [tensor for tensor, _ in found]
        self._codes = [codes for _, codes in found]
        self._session = inner_session(path, data, [tensor.name for tensor in self.tensors])

    def values(self, feeds: Tensors) -> list[Array]:
        """The codes of each tensor."""
        found: list[Array] = self._session.run([tensor.name for tensor in self.tensors], dict(feeds))
        return found

    def ends(self, index: int) -> tuple[float, float]:
        """The lowest and highest code."""
        return self._codes[index]


def _quantized(data: bytes) -> list[tuple[QuantizedTensor, tuple[float, float]]]:
    """Each tensor that a QuantizeLinear with one constant scale makes, with its lowest and highest code."""
    _, _, start, end = next(field for field in fields(data) if field[0] == _GRAPH)
    nodes: list[tuple[list[str], str]] = []
    constants: dict[str, tuple[int, int]] = {}
    for number, _, begin, stop in fields(data, start, end):
        if number == _NODE and node_texts(data, begin, stop, _NODE_OPERATOR) == ["QuantizeLinear"]:
            nodes.append((node_texts(data, begin, stop, _NODE_INPUT), node_texts(data, begin, stop, _NODE_OUTPUT)[0]))
        elif number == _TENSOR:
            constants |= dict.fromkeys(node_texts(data, begin, stop, _TENSOR_NAME), (begin, stop))
    found = []
    for inputs, output in nodes:
        scale = onnx_number(data, constants.get(inputs[1]))
        zero = onnx_number(data, constants.get(inputs[2])) if len(inputs) > 2 else (0, "uint8")
        if inputs[0] in constants or scale is None or zero is None or zero[1] not in ("int8", "uint8"):
            continue
        info = np.iinfo(zero[1])
        low, high = ((code - zero[0]) * float(scale[0]) for code in (int(info.min), int(info.max)))
        found.append((QuantizedTensor(output, low, high), (float(info.min), float(info.max))))
    return found


class TfliteInner:
    """What the operators of a TFLite file give in 8 bits, computed by the reference kernels, which keep all tensors."""

    def __init__(self, path: Path) -> None:
        self._interpreter = keeping_interpreter(path.read_bytes())
        made = {index for operator in self._interpreter._get_ops_details() for index in operator["outputs"]}
        details = [one for one in self._interpreter.get_tensor_details() if one["index"] in made and _has_one_scale(one)]
        self._indices = [one["index"] for one in details]
        self._infos = [np.iinfo(one["dtype"]) for one in details]
        self.tensors = [_tflite_tensor(one) for one in details]

    def values(self, feeds: Tensors) -> list[Array]:
        """The codes of each tensor."""
        for place, array in zip(self._interpreter.get_input_details(), feeds.values(), strict=True):
            self._interpreter.set_tensor(place["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._indices]

    def ends(self, index: int) -> tuple[float, float]:
        """The lowest and highest code."""
        return float(self._infos[index].min), float(self._infos[index].max)


def _has_one_scale(detail: Any) -> bool:
    is_8_bits = np.dtype(detail["dtype"]) in (np.dtype(np.int8), np.dtype(np.uint8))
    return bool(is_8_bits and len(detail["quantization_parameters"]["scales"]) == 1)


def _tflite_tensor(detail: Any) -> QuantizedTensor:
    scale, zero = detail["quantization"]
    info = np.iinfo(detail["dtype"])
    return QuantizedTensor(detail["name"], (info.min - zero) * float(scale), (info.max - zero) * float(scale))


class OpenvinoInner:
    """What the FakeQuantize operators of an OpenVINO file give; those of weights are left out."""

    def __init__(self, path: Path) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(path)
        chosen = [
            operator for operator in model.get_ops() if operator.get_type_name() == "FakeQuantize" and _is_activation(operator)
        ]
        self.tensors = []
        kept = []
        for operator in chosen:
            low, high = (_only_value(operator.input_value(port)) for port in (3, 4))
            if low is not None and high is not None and low < high:
                self.tensors.append(QuantizedTensor(operator.get_friendly_name(), low, high))
                kept.append(operator.output(0))
        model.add_outputs(kept)
        # a tensor that is an output already is not added again
        sources = [port.get_node().input_value(0).get_node().get_friendly_name() for port in model.outputs]
        self._places = [sources.index(tensor.name) for tensor in self.tensors]
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})

    def values(self, feeds: Tensors) -> list[Array]:
        """The real values of each tensor."""
        results = self._compiled(list(feeds.values()))
        return [np.array(results[place]) for place in self._places]

    def ends(self, index: int) -> tuple[float, float]:
        """The real values of the lowest and highest code."""
        return self.tensors[index].low, self.tensors[index].high


def _is_activation(operator: Any) -> bool:
    return bool(operator.input_value(0).get_node().get_type_name() not in ("Constant", "Convert"))


def _only_value(port: Any) -> float | None:
    node = port.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    data = np.asarray(node.get_data())
    return float(data.reshape(-1)[0]) if data.size == 1 else None
