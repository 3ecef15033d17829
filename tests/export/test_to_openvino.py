"""The exporter to OpenVINO."""

from __future__ import annotations

from tests.contracts.exporter import ExporterContract


class TestOpenVino(ExporterContract):
    format = "openvino"
