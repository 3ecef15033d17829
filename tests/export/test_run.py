"""`edgecnn.export.run_exports`: what the command does, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import InputError
from edgecnn.export import ExportConfig, run_exports
from edgecnn.runtime.backends import open_backend


def test_a_shipped_model_is_exported_in_two_formats_from_python(tmp_path: Path) -> None:
    reports: list[str] = []
    config = ExportConfig(model="fashion-resnet-xs", formats=("onnx", "openvino"), out=tmp_path, name="net")
    artifacts = run_exports(config, reports.append)
    assert [artifact.path.name for artifact in artifacts] == ["net-fp32.onnx", "net-fp32.xml"]
    assert reports[0].startswith("fashion-resnet-xs: classify, 10 classes")
    assert all("ok" in report for report in reports[1:])
    for artifact in artifacts:
        backend = open_backend(artifact.path)
        assert ModelCard.from_json(backend.metadata[CARD_KEY], "file").parity["passed"]
        backend.close()


def test_an_unknown_format_is_refused_when_the_config_is_made() -> None:
    with pytest.raises(InputError, match="--format: 'coreml' is not one of onnx, tflite, openvino"):
        ExportConfig(model="cups", formats=("coreml",))


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "net-fp32.onnx").write_text("mine")
    config = ExportConfig(model="fashion-resnet-xs", formats=("onnx",), out=tmp_path, name="net")
    with pytest.raises(InputError, match=r"net-fp32\.onnx already exists"):
        run_exports(config)
    assert (tmp_path / "net-fp32.onnx").read_text() == "mine"
