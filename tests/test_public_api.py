"""The public surface is a list that is tested, and imports stay lean."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgecnn

PUBLIC = [
    "Classes",
    "Decode",
    "Detections",
    "Detector",
    "EdgeCnnError",
    "Event",
    "Frame",
    "Latency",
    "ModelCard",
    "Pipeline",
    "Predictor",
    "Preprocess",
    "Result",
    "TensorSpec",
    "Values",
    "__version__",
    "from_supervision",
    "open_backend",
    "open_dataset",
    "open_source",
    "stream",
    "to_supervision",
]
ON_DEVICE = [
    "edgecnn.types",
    "edgecnn.card",
    "edgecnn.preprocess",
    "edgecnn.postprocess",
    "edgecnn.metrics",
    "edgecnn.data",
    "edgecnn.scene",
    "edgecnn.devices",
    "edgecnn.runtime.backends",
    "edgecnn.runtime.model.predictor",
    "edgecnn.runtime.pipeline.single_camera",
    "edgecnn.runtime.sources",
    "edgecnn.runtime.sinks",
    "edgecnn.runtime.model.selftest",
    "edgecnn.benchmarks",
    "edgecnn.cli.run",
    "edgecnn.cli.evaluate",
    "edgecnn.cli.benchmark",
    "edgecnn.cli.selftest",
    "edgecnn.cli.info",
]


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())


def test_public_names_are_the_listed_ones() -> None:
    assert sorted(edgecnn.__all__) == PUBLIC
    assert [name for name in PUBLIC if getattr(edgecnn, name, None) is None] == []


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Modle'"):
        edgecnn.Modle  # noqa: B018


def test_importing_edgecnn_loads_nothing_heavy() -> None:
    assert not {"numpy", "cv2", "onnxruntime", "torch", "click"} & modules_after("import edgecnn")


def test_help_loads_no_numpy() -> None:
    assert not {"numpy", "cv2", "onnxruntime", "torch"} & modules_after("import edgecnn.cli")


@pytest.mark.parametrize("module", ON_DEVICE)
def test_what_runs_on_a_device_never_imports_a_training_framework(module: str) -> None:
    loaded = modules_after(f"import {module}")
    assert module in loaded
    assert not {"torch", "tensorflow", "edgecnn.train", "edgecnn.export"} & loaded
