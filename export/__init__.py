"""From a trained PyTorch model to verified ONNX, TFLite and OpenVINO files.

``run_exports(ExportConfig(...))`` does what `edgecnn export` does.
"""

from __future__ import annotations

from edgecnn.lazy import lazy_names

# Imported on first use: a program that only builds an ExportConfig does not wait for torch.
_PUBLIC = {
    "Artifact": "edgecnn.export.artifact",
    "ExportConfig": "edgecnn.export.config",
    "ModelOptions": "edgecnn.export.config",
    "run_exports": "edgecnn.export.run",
    "Calibration": "edgecnn.export.quantize.calibration",
    "FORMATS": "edgecnn.export.config",
    "FailedExportsError": "edgecnn.export.failures",
    "OutOfToleranceError": "edgecnn.export.failures",
    "PRECISIONS": "edgecnn.export.config",
    "evidence_of": "edgecnn.export.exporter",
    "export": "edgecnn.export.exporter",
    "prepare": "edgecnn.export.prepared",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC)
