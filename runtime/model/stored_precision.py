"""Reads from a model file of another tool whether it computes in int8, fp16 or fp32."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Protocol, runtime_checkable

from edgecnn.card import Precision
from edgecnn.runtime.backends import Backend

# Operators that only quantized graphs have: https://onnx.ai/onnx/operators and OpenVINO's operation sets.
_ONNX_INT8 = (b"DequantizeLinear", b"QLinear", b"ConvInteger", b"MatMulInteger", b"DynamicQuantizeLinear")
_OPENVINO_INT8 = (b'"FakeQuantize"',)
_OPENVINO_HALF = (b'element_type="f16"', b'precision="FP16"')


@runtime_checkable
class HasTensorTypes(Protocol):
    """A backend that knows the types of all tensors of its graph."""

    def tensor_types(self) -> set[str]: ...  # noqa: D102


def stored_precision(backend: Backend, path: Path) -> Precision:
    """Return int8 for a graph with quantized operators or weights, fp16 for one with half-precision tensors, else fp32."""
    if isinstance(backend, HasTensorTypes):
        types = backend.tensor_types()
        return "int8" if types & {"int8", "uint8"} else "fp16" if "float16" in types else "fp32"
    if path.suffix.lower() == ".xml":
        return "int8" if _holds(path, _OPENVINO_INT8) else "fp16" if _holds(path, _OPENVINO_HALF) else "fp32"
    if _holds(path, _ONNX_INT8):
        return "int8"
    return "fp16" if any(spec.dtype == "float16" for spec in (*backend.inputs, *backend.outputs)) else "fp32"


def _holds(path: Path, words: tuple[bytes, ...]) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(word) >= 0 for word in words)
