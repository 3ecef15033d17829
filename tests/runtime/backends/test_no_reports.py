"""Engines report nothing about their use: ONNX Runtime makes an identifier of the device for it, OpenVINO imports openvino_telemetry."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.tiny import Graph, write_onnx

LOAD = "import sys; from edgecnn.runtime.backends import open_backend; open_backend(sys.argv[1]).close()"


@pytest.mark.parametrize("asked_for", [None, "0"])
def test_a_home_folder_stays_empty_unless_reports_are_asked_for(tmp_path: Path, asked_for: str | None) -> None:
    model, home = write_onnx(tmp_path / "tiny.onnx", Graph({"out": np.zeros((1, 4), np.float32)})), tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    # An address that nothing listens at: a test sends nothing, whatever the engine does.
    environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    if asked_for is not None:
        environment["ORT_DISABLE_TELEMETRY"] = asked_for
        code = f"{LOAD}; import os; assert os.environ['ORT_DISABLE_TELEMETRY'] == {asked_for!r}"
    else:
        code = f"{LOAD}; import os; assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    subprocess.run([sys.executable, "-c", code, str(model)], env=environment, check=True, timeout=60)
    if asked_for is None:
        assert not list(home.iterdir())


SENDER = """
import pathlib
class Telemetry:
    def __init__(self, *words, **named): pathlib.Path(__file__).with_name("sent").touch()
    def send_event(self, *words): pass
"""


@pytest.mark.parametrize("before", ["", "import openvino; "])
def test_openvino_sends_nothing(tmp_path: Path, before: str) -> None:
    """With a sender that leaves a file where it is used; OpenVINO uses it as it is imported, which edgecnn prevents."""
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    (tmp_path / "openvino_telemetry" / "backend").mkdir(parents=True)
    (tmp_path / "openvino_telemetry" / "__init__.py").write_text(SENDER)
    (tmp_path / "openvino_telemetry" / "backend" / "backend_ga4.py").touch()
    sent = tmp_path / "openvino_telemetry" / "sent"
    code = (
        f"{before}import edgecnn, pathlib; pathlib.Path(r'{sent}').unlink(missing_ok=True); "
        "import openvino.tools.ovc.telemetry_utils as told; told.init_ovc_telemetry()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert not sent.exists()
