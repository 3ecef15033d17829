"""Reads from a model file which values its outputs can take, where the last operators are quantized.

TFLite: quantization of the output, or of the input of the DEQUANTIZE before it. ONNX: the DequantizeLinear before the output
(https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html). OpenVINO: the FakeQuantize before it.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from xml.etree import ElementTree

import numpy as np

from edgecnn.integrity.protobuf import fields, read_varint
from edgecnn.integrity.sections import BrokenFileError
from edgecnn.runtime.backends import Backend
from edgecnn.types import TensorSpec

# Operators that move values and do not change them, in ONNX, OpenVINO and TFLite
MOVES = {
    "reshape",
    "transpose",
    "squeeze",
    "unsqueeze",
    "flatten",
    "identity",
    "slice",
    "convert",
    "expand_dims",
    "strided_slice",
}
_MOST_MOVES = 8
_ONNX_FLOAT, _ONNX_INTEGERS = 1, {2: "uint8", 3: "int8", 4: "uint16", 5: "int16"}


@runtime_checkable
class HasQuantizedSources(Protocol):
    """A backend that knows which integers its float outputs come from: type, scale and zero-point, by output."""

    def quantized_sources(self) -> Mapping[str, tuple[str, float, int]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class OutputRange:
    """The lowest and highest value of an output, and the distance of neighbouring values."""

    low: float
    high: float
    step: float


def output_ranges(backend: Backend, path: Path) -> dict[str, OutputRange]:
    """Return the range of each output that is quantized with one scale; the others are left out."""
    found = {spec.name: _of_integers(spec.dtype, spec.scale, spec.zero_point) for spec in backend.outputs if _has_scale(spec)}
    missing = [spec.name for spec in backend.outputs if spec.name not in found and spec.dtype.startswith("float")]
    try:
        if missing and path.suffix == ".onnx":
            found |= _onnx(path, missing)
        elif missing and path.suffix == ".xml":
            found |= _openvino(path, missing)
        elif missing and isinstance(backend, HasQuantizedSources):
            sources = backend.quantized_sources()
            found |= {name: _of_integers(*source) for name, source in sources.items() if name in missing}
    # A file that its engine reads but this reader does not is no error: its ranges are not known.
    except (OSError, BrokenFileError, ElementTree.ParseError, ValueError, KeyError, IndexError, struct.error):
        return found
    return found


def _has_scale(spec: TensorSpec) -> bool:
    return spec.scale is not None and np.dtype(spec.dtype).kind in "iu"


def _of_integers(dtype: str, scale: float | None, zero_point: int | None) -> OutputRange:
    info, step = np.iinfo(dtype), float(scale or 0.0)
    low, high = ((limit - (zero_point or 0)) * step for limit in (int(info.min), int(info.max)))
    return OutputRange(low, high, step)


# --- ONNX ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _GraphNode:
    operator: str
    inputs: tuple[str, ...]


def _onnx(path: Path, names: list[str]) -> dict[str, OutputRange]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(b"DequantizeLinear") < 0:
            return {}
        graph = next(((start, end) for number, _, start, end in fields(data, 0, len(data)) if number == 7), (0, 0))  # type: ignore[arg-type]
        nodes: dict[str, tuple[int, int]] = {}
        tensors: dict[str, tuple[int, int]] = {}
        for number, _, start, end in fields(data, *graph):  # type: ignore[arg-type]
            if number == 1:
                nodes |= dict.fromkeys(node_texts(data, start, end, 2), (start, end))
            elif number == 5:
                tensors |= dict.fromkeys(node_texts(data, start, end, 8), (start, end))
        found = {}
        for name in names:
            dequantize = _dequantize_before(data, nodes, name)
            if dequantize is not None and len(dequantize.inputs) >= 2:
                scale = onnx_number(data, tensors.get(dequantize.inputs[1]))
                zero = onnx_number(data, tensors.get(dequantize.inputs[2])) if len(dequantize.inputs) > 2 else (0, "uint8")
                if scale is not None and zero is not None and scale[1] == "float32" and zero[1] != "float32":
                    found[name] = _of_integers(zero[1], float(scale[0]), int(zero[0]))
        return found


def _dequantize_before(data: Any, nodes: Mapping[str, tuple[int, int]], name: str) -> _GraphNode | None:
    for _ in range(_MOST_MOVES):
        if name not in nodes:
            return None
        start, end = nodes[name]
        node = _GraphNode("".join(node_texts(data, start, end, 4)), tuple(node_texts(data, start, end, 1)))
        if node.operator == "DequantizeLinear":
            return node
        if node.operator.lower() not in MOVES or not node.inputs:
            return None
        name = node.inputs[0]
    return None


def node_texts(data: Any, start: int, end: int, wanted: int) -> list[str]:
    """The texts of the fields ``wanted`` of the message from ``start`` to ``end``, such as the inputs (1) or outputs (2) of a node."""
    return [data[begin:stop].decode(errors="replace") for number, _, begin, stop in fields(data, start, end) if number == wanted]


def onnx_number(data: Any, place: tuple[int, int] | None) -> tuple[float, str] | None:
    """The only number of a TensorProto and its type; None where there are several, or none."""
    if place is None:
        return None
    kind, raw, number_of = 0, b"", {}
    for number, _, start, end in fields(data, *place):
        if number == 2:
            kind = read_varint(data, start)[0]
        elif number == 9:
            raw = data[start:end]
        elif number in (4, 5):
            number_of[number] = data[start:end]
    if kind == _ONNX_FLOAT:
        values = np.frombuffer(raw or number_of.get(4, b""), "<f4")
        return (float(values[0]), "float32") if values.size == 1 else None
    if kind not in _ONNX_INTEGERS:
        return None
    dtype = _ONNX_INTEGERS[kind]
    if raw:
        integers = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<"))
        return (int(integers[0]), dtype) if integers.size == 1 else None
    if 5 not in number_of:
        return None
    value, stop = read_varint(number_of[5], 0)
    return (value if value < 1 << 63 else value - (1 << 64), dtype) if stop == len(number_of[5]) else None


# --- OpenVINO ------------------------------------------------------------------------------------


def _openvino(path: Path, names: list[str]) -> dict[str, OutputRange]:
    text = path.read_bytes()
    if b'"FakeQuantize"' not in text:  # parsing a large graph takes longer than opening it
        return {}
    root = ElementTree.fromstring(text)
    layers = {layer.get("id", ""): layer for layer in root.iter("layer")}
    sources: dict[str, dict[int, str]] = {}
    for edge in root.iter("edge"):
        sources.setdefault(edge.get("to-layer", ""), {})[int(edge.get("to-port", "0"))] = edge.get("from-layer", "")
    results = [number for number, layer in layers.items() if layer.get("type") == "Result"]
    found = {}
    # Results are listed in the order of the outputs.
    for name, number in zip(names, results, strict=True):
        quantize = _fake_quantize_before(layers, sources, number)
        if quantize is not None:
            feeding = [sources[quantize][port] for port in sorted(sources[quantize])]
            low, high = (_constant(layers[one], path.with_suffix(".bin")) for one in feeding[3:5])
            levels = int(_data(layers[quantize]).get("levels", "256"))
            if low is not None and high is not None and high > low and levels > 1:
                found[name] = OutputRange(low, high, (high - low) / (levels - 1))
    return found


def _fake_quantize_before(layers: Mapping[str, Any], sources: Mapping[str, Mapping[int, str]], number: str) -> str | None:
    for _ in range(_MOST_MOVES):
        if number not in sources:
            return None
        number = sources[number][min(sources[number])]
        kind = layers[number].get("type", "")
        if kind == "FakeQuantize":
            return number
        if kind.lower() not in MOVES:
            return None
    return None


def _constant(layer: Any, weights: Path) -> float | None:
    """The only value of a constant; None where there are several."""
    data = _data(layer)
    dtype = {"f32": "<f4", "f16": "<f2"}.get(data.get("element_type", ""))
    if layer.get("type") != "Const" or dtype is None or int(data["size"]) != np.dtype(dtype).itemsize:
        return None
    with weights.open("rb") as file:
        file.seek(int(data["offset"]))
        return float(np.frombuffer(file.read(int(data["size"])), dtype)[0])


def _data(layer: Any) -> Mapping[str, str]:
    found = layer.find("data")
    return {} if found is None else found.attrib
