"""The steps of one file and the tools that work in them: what is named where a tool crashes or does not end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tools:
    """The names of the packages that convert, quantize and run a format."""

    converter: str
    quantizer: str
    engine: str


@dataclass(frozen=True, slots=True)
class ExportStep:
    """What ``tool`` does now; ``shared`` where all precisions of the format need it."""

    tool: str
    doing: str
    shared: bool = False


Note = Callable[[ExportStep], None]

_TOOLS = {
    "onnx": Tools("torch.onnx", "ONNX Runtime's quantizer", "ONNX Runtime"),
    "tflite": Tools("litert-torch", "ai-edge-quantizer", "LiteRT"),
    "executorch": Tools("torch.export", "the XNNPACK quantizer", "ExecuTorch"),
    "openvino": Tools("OpenVINO's converter", "NNCF", "OpenVINO"),
}


def tools(format: str) -> Tools:
    """The tools of a format."""
    return _TOOLS.get(format, Tools(*[f"the tool for {format}"] * 3))


def ignore(step: ExportStep) -> None:
    """Discard the step."""
