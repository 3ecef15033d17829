"""Switches off the usage reports of the engines before they are imported: nothing is sent without being asked."""

from __future__ import annotations

import os
import sys


def no_telemetry() -> None:
    """Disable the usage reports of ONNX Runtime, OpenVINO and NNCF in this process and in those it starts.

    OpenVINO sends one as it is imported. An OpenVINO that was imported before sends no more from now on.
    """
    # ONNX Runtime 1.32 and later report their use to Microsoft over HTTPS unless this is set before they are imported (its Privacy.md)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # OpenVINO and NNCF use a stub where this package can't be imported
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    sender = sys.modules.get("openvino.tools.ovc.telemetry_utils")
    if sender is not None:
        from openvino.tools.ovc import telemetry_stub

        sender.tm = telemetry_stub  # type: ignore[attr-defined]
