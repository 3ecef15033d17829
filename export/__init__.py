"""From a trained PyTorch model to verified ONNX, TFLite and OpenVINO files.

``run_exports(ExportConfig(...))`` does what `edgecnn export` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Imported on first use: a program that only builds an ExportConfig does not wait for torch.
_PUBLIC = {
    "Artifact": "edgecnn.export.exporter",
    "ExportConfig": "edgecnn.export.config",
    "ModelOptions": "edgecnn.export.config",
    "run_exports": "edgecnn.export.run",
    "Calibration": "edgecnn.export.quantize.calibration",
    "FORMATS": "edgecnn.export.config",
    "OutOfToleranceError": "edgecnn.export.exporter",
    "PRECISIONS": "edgecnn.export.config",
    "evidence_of": "edgecnn.export.exporter",
    "export": "edgecnn.export.exporter",
    "prepare": "edgecnn.export.exporter",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgecnn.export' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
