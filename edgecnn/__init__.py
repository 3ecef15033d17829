"""edgecnn takes a CNN trained in PyTorch to a camera on a device, and proves that it is still right and how fast it is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Classes": "edgecnn.types",
    "Detections": "edgecnn.types",
    "Frame": "edgecnn.types",
    "Latency": "edgecnn.types",
    "Result": "edgecnn.types",
    "TensorSpec": "edgecnn.types",
    "Values": "edgecnn.types",
    "Decode": "edgecnn.card",
    "ModelCard": "edgecnn.card",
    "Preprocess": "edgecnn.card",
    "EdgeCnnError": "edgecnn.errors",
    "Predictor": "edgecnn.runtime.model.predictor",
    "open_backend": "edgecnn.runtime.backends",
    "open_dataset": "edgecnn.data",
    "open_source": "edgecnn.runtime.sources",
    "Pipeline": "edgecnn.runtime.pipeline.single_camera",
    "MultiCamera": "edgecnn.runtime.pipeline.multi_camera",
    "CameraSetup": "edgecnn.runtime.pipeline.camera_stream",
    "Detector": "edgecnn.runtime.model.detector",
    "Event": "edgecnn.types",
    "stream": "edgecnn.runtime.pipeline.stream",
    "Tracker": "edgecnn.runtime.steps.tracker",
    "LineCounter": "edgecnn.runtime.steps.line_counter",
    "ZoneCounter": "edgecnn.runtime.steps.zone_counter",
    "parse_line": "edgecnn.runtime.steps.line_counter",
    "parse_zone": "edgecnn.runtime.steps.zone_counter",
    "Painter": "edgecnn.runtime.draw.painter",
    "QueuedSink": "edgecnn.runtime.sinks.queue",
    "to_supervision": "edgecnn.runtime.to_supervision",
    "from_supervision": "edgecnn.runtime.to_supervision",
}

__all__ = ["__version__", *sorted(_PUBLIC)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgecnn' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
