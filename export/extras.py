"""Packages that each format needs, checked before any work."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from edgecnn.errors import MissingExtraError

ALWAYS = ("torch", "safetensors")
PACKAGES: dict[str, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
    "tflite": ("litert_torch", "ai_edge_litert"),
    "executorch": ("executorch",),
}
QUANTIZERS: dict[str, tuple[str, ...]] = {
    "onnx": (),
    "openvino": ("nncf",),
    "tflite": ("ai_edge_quantizer",),
    "executorch": ("torchao",),
}


def require(formats: Iterable[str], precisions: Iterable[str]) -> None:
    """Raise ``MissingExtraError`` for the first missing package that an export to ``formats`` in ``precisions`` needs."""
    precisions = set(precisions)
    for package in ALWAYS:
        _check(package)
    for format in formats:
        # OpenVINO stores fp16 weights itself; only int8 needs NNCF
        reduced = precisions & ({"int8"} if format == "openvino" else {"int8", "fp16"})
        for package in PACKAGES[format] + (QUANTIZERS[format] if reduced else ()):
            _check(package, "executorch" if format == "executorch" else "export")


def _check(package: str, extra: str = "export") -> None:
    if find_spec(package) is None:
        raise MissingExtraError(package.replace("_", "-"), extra)
