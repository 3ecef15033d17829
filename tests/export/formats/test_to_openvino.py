"""The exporter to OpenVINO."""

from __future__ import annotations

from edgecnn.export import Artifact
from tests.contracts.exporter import ExporterContract

Artifacts = dict[tuple[str, str], Artifact]


class TestOpenVino(ExporterContract):
    format = "openvino"

    def test_fp16_is_how_weights_are_stored(self, artifacts: Artifacts) -> None:
        whole, half = (artifacts["classify", precision].path.with_suffix(".bin").stat().st_size for precision in ("fp32", "fp16"))
        assert 0.49 < half / whole < 0.55

    def test_tools_write_nothing_about_themselves(self, artifacts: Artifacts) -> None:
        text = artifacts["detect", "int8"].path.read_text()
        assert "<nncf" not in text
        assert "conversion_parameters" not in text
        assert "FakeQuantize" in text
