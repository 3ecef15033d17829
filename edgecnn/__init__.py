"""edgecnn takes a CNN trained in PyTorch to a camera on a device, and proves that it is still right and how fast it is."""

from __future__ import annotations

from edgecnn.lazy import lazy_names
from edgecnn.telemetry import no_telemetry

__version__ = "0.1.0"

no_telemetry()

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

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC)
__all__ += ["__version__"]
