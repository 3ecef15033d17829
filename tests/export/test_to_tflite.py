"""The exporter to TFLite."""

from __future__ import annotations

from tests.contracts.exporter import ExporterContract


class TestTflite(ExporterContract):
    format = "tflite"
