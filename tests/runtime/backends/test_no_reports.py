"""ONNX Runtime reports nothing about the use of a model: with its reports it makes an identifier of the device in the home folder."""

from __future__ import annotations

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
