"""The public surface is a list that is tested, and imports stay lean."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import edgecnn
import edgecnn.live

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))

PUBLIC = [
    "CameraSetup",
    "Classes",
    "Decode",
    "Detections",
    "Detector",
    "EdgeCnnError",
    "Event",
    "Frame",
    "Latency",
    "LineCounter",
    "ModelCard",
    "MultiCamera",
    "Painter",
    "Pipeline",
    "Predictor",
    "Preprocess",
    "QueuedSink",
    "Result",
    "TensorSpec",
    "Tracker",
    "Values",
    "ZoneCounter",
    "__version__",
    "from_supervision",
    "open_backend",
    "open_dataset",
    "open_source",
    "parse_line",
    "parse_zone",
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
    "edgecnn.live.session",
    "edgecnn.live.cameras_file",
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


def test_public_names_are_documented() -> None:
    public = [getattr(edgecnn, name) for name in PUBLIC if name != "__version__"]
    public += [getattr(edgecnn.live, name) for name in edgecnn.live.__all__]
    assert [one for one in public if not inspect.getdoc(one)] == []


def test_the_application_is_public_and_imported_when_it_is_used() -> None:
    assert {"RunConfig", "CameraConfig", "run", "Session", "RunSummary"} <= set(edgecnn.live.__all__)
    assert not {"numpy", "cv2", "onnxruntime", "torch", "click"} & modules_after("import edgecnn.live")
    assert not {"numpy", "cv2", "onnxruntime", "torch", "click"} & modules_after(
        "from edgecnn.live import RunConfig, CameraConfig"
    )
    with pytest.raises(AttributeError, match="no attribute 'Runn'"):
        edgecnn.live.Runn  # noqa: B018


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_use_public_names_only(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in modules if name.startswith("edgecnn")} == {"edgecnn"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("edgecnn"):
            assert node.module == "edgecnn.live"
            assert {alias.name for alias in node.names} <= set(edgecnn.live.__all__)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "edgecnn":
            assert node.attr in edgecnn.__all__


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
