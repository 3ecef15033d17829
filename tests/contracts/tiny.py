"""Tiny real models in each format, made without a training framework: every output is a constant plus gain times the mean of the image."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]


@dataclass
class Graph:
    """One image input of ``shape`` (-1: free), outputs ``constant + gain * mean(image)`` by name, texts to put into the file.

    ``quantized``: scale and zero-point by output: TFLite gives int8, the others floats that were int8 before.
    """

    outputs: Mapping[str, Array]
    shape: tuple[int, ...] = (1, 8, 8, 3)
    dtype: str = "uint8"
    gain: float = 1.0
    metadata: Mapping[str, str] = field(default_factory=dict)
    quantized: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    input_name: str = "image"

    def expected(self, image: Array) -> dict[str, Array]:
        mean = image.astype(np.float32).mean()
        return {name: (constant + np.float32(self.gain) * mean).astype(np.float32) for name, constant in self.outputs.items()}


Write = Callable[[Path, Graph], Path]


# --- ONNX: the protobuf by hand, so that the base install's tests need no onnx package -------------------------------------------

ONNX_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _value_info(name: str, dtype: str, shape: Iterable[int]) -> bytes:
    dims = b"".join(_field(1, _field(1, size) if size >= 0 else _field(2, f"free{axis}")) for axis, size in enumerate(shape))
    return _field(1, name) + _field(2, _field(1, _field(1, ONNX_TYPES[dtype]) + _field(2, dims)))


def _tensor(name: str, array: Array) -> bytes:
    dims = b"".join(_field(1, size) for size in array.shape)
    return dims + _field(2, ONNX_TYPES[array.dtype.name]) + _field(8, name) + _field(9, array.tobytes())


def _node(kind: str, inputs: list[str], output: str, **attributes: int) -> bytes:
    fields = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)
    return fields + b"".join(_field(5, _field(1, key) + _field(3, value) + _field(20, 2)) for key, value in attributes.items())


def write_onnx(path: Path, graph: Graph) -> Path:
    nodes = [
        _node("Cast", [graph.input_name], "real", to=1),
        _node("ReduceMean", ["real"], "mean", keepdims=0),
        _node("Mul", ["mean", "gain"], "scaled"),
        *(
            _node("Add", [f"{name}/constant", "scaled"], f"{name}/real" if name in graph.quantized else name)
            for name in graph.outputs
        ),
    ]
    integers: dict[str, Array] = {}
    for name, (scale, zero_point) in graph.quantized.items():
        parameters = [f"{name}/scale", f"{name}/zero"]
        nodes.append(_node("QuantizeLinear", [f"{name}/real", *parameters], f"{name}/int8"))
        nodes.append(_node("DequantizeLinear", [f"{name}/int8", *parameters], name))
        integers |= {f"{name}/scale": np.array(scale, np.float32), f"{name}/zero": np.array(zero_point, np.int8)}
    constants = {"gain": np.float32(graph.gain).reshape(()), **{f"{name}/constant": a for name, a in graph.outputs.items()}}
    body = b"".join(_field(1, node) for node in nodes) + _field(2, "tiny")
    body += b"".join(_field(5, _tensor(name, np.asarray(array, np.float32))) for name, array in constants.items())
    body += b"".join(_field(5, _tensor(name, array)) for name, array in integers.items())
    body += _field(11, _value_info(graph.input_name, graph.dtype, graph.shape))
    body += b"".join(_field(12, _value_info(name, "float32", array.shape)) for name, array in graph.outputs.items())
    model = _field(1, 8) + _field(7, body) + _field(8, _field(1, "") + _field(2, 13))
    model += b"".join(_field(14, _field(1, key) + _field(2, text)) for key, text in graph.metadata.items())
    path.write_bytes(model)
    return path


# --- OpenVINO --------------------------------------------------------------------------------------------------------------------


def write_openvino(path: Path, graph: Graph) -> Path:
    openvino = pytest.importorskip("openvino")
    ops = openvino.opset13
    image = ops.parameter(openvino.PartialShape(list(graph.shape)), np.dtype(graph.dtype), name=graph.input_name)
    image.output(0).get_tensor().set_names({graph.input_name})
    mean = ops.reduce_mean(ops.convert(image, "f32"), np.arange(len(graph.shape)), keep_dims=False)
    scaled = ops.multiply(mean, np.float32(graph.gain))
    results = []
    for name, constant in graph.outputs.items():
        total = ops.add(np.asarray(constant, np.float32), scaled)
        if name in graph.quantized:
            scale, zero_point = graph.quantized[name]
            low, high = np.float32((-128 - zero_point) * scale), np.float32((127 - zero_point) * scale)
            total = ops.fake_quantize(total, low, high, low, high, 256)
        total.output(0).get_tensor().set_names({name})
        results.append(ops.result(total, name=name))
    model = openvino.Model(results, [image], "tiny")
    for key, text in graph.metadata.items():
        model.set_rt_info(text, key.split("."))
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path


# --- TFLite ----------------------------------------------------------------------------------------------------------------------


class _Flat:
    """A TFLite model under construction, in the object API of the schema that ai-edge-litert brings."""

    def __init__(self) -> None:
        pytest.importorskip("flatbuffers")
        self.schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[Any] = []
        self.buffers: list[Any] = [self.schema.BufferT()]

    def tensor(self, name: str, shape: Iterable[int], dtype: str, data: Array | None = None, quantized: Any = None) -> int:
        tensor = self.schema.TensorT()
        sizes = list(shape)
        tensor.name, tensor.shape = name.encode(), np.array([max(size, 1) for size in sizes], np.int32)
        if min(sizes, default=0) < 0:
            tensor.shapeSignature = np.array(sizes, np.int32)
        tensor.type = getattr(self.schema.TensorType, dtype.upper())
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        if quantized is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [quantized[0]], [quantized[1]]
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, kind: str, inputs: list[int], outputs: list[int], options: str = "") -> None:
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self.codes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.codes) - 1, inputs, outputs
        if options:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self.schema, f"{options}T")()
        self.operators.append(operator)

    def pack(self, inputs: list[int], outputs: list[int]) -> bytes:
        import flatbuffers

        subgraph, model = self.schema.SubGraphT(), self.schema.ModelT()
        subgraph.tensors, subgraph.operators, subgraph.inputs, subgraph.outputs = self.tensors, self.operators, inputs, outputs
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [subgraph], self.buffers, self.codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def write_tflite(path: Path, graph: Graph) -> Path:
    flat = _Flat()
    image = flat.tensor(graph.input_name, graph.shape, graph.dtype)
    real = image
    if graph.dtype != "float32":
        real = flat.tensor("real", graph.shape, "float32")
        flat.operator("CAST", [image], [real], "CastOptions")
    axes = flat.tensor("axes", (len(graph.shape),), "int32", np.arange(len(graph.shape), dtype=np.int32))
    mean, scaled = flat.tensor("mean", (), "float32"), flat.tensor("scaled", (), "float32")
    gain = flat.tensor("gain", (), "float32", np.float32(graph.gain))
    flat.operator("MEAN", [real, axes], [mean], "ReducerOptions")
    flat.operator("MUL", [mean, gain], [scaled], "MulOptions")
    outputs = [_tflite_output(flat, graph, name, scaled) for name in graph.outputs]
    path.write_bytes(flat.pack([image], outputs))
    if graph.metadata:
        with zipfile.ZipFile(path, "a") as archive:
            for name, text in graph.metadata.items():
                archive.writestr(name, text)
    return path


def _tflite_output(flat: _Flat, graph: Graph, name: str, scaled: int) -> int:
    constant = np.asarray(graph.outputs[name], np.float32)
    data = flat.tensor(f"{name}/constant", constant.shape, "float32", constant)
    quantized = graph.quantized.get(name)
    total = flat.tensor(name if quantized is None else f"{name}/real", constant.shape, "float32")
    flat.operator("ADD", [data, scaled], [total], "AddOptions")
    if quantized is None:
        return total
    output = flat.tensor(name, constant.shape, "int8", quantized=quantized)
    flat.operator("QUANTIZE", [total], [output])
    return output


WRITERS: Mapping[str, tuple[str, Write]] = {
    "onnx": (".onnx", write_onnx),
    "openvino": (".xml", write_openvino),
    "tflite": (".tflite", write_tflite),
}


def write(folder: Path, kind: str, graph: Graph, name: str = "tiny") -> Path:
    """A model file of that format in ``folder``; the test is skipped where its engine is not installed."""
    suffix, writer = WRITERS[kind]
    if kind == "tflite":
        pytest.importorskip("ai_edge_litert")
    return writer(folder / f"{name}{suffix}", graph)
