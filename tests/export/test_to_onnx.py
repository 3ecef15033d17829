"""The exporter to ONNX."""

from __future__ import annotations

from tests.contracts.exporter import ExporterContract


class TestOnnx(ExporterContract):
    format = "onnx"
