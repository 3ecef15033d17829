"""A sweep on this machine and on boards behind a real SSH server."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from edgecnn.shipped import artifact
from edgecnn.sweep.config import read_sweep
from edgecnn.sweep.report import to_sweep_table
from edgecnn.sweep.run import run_sweep
from tests.remote.ssh_board import SshBoard


@pytest.mark.slow
def test_hosts_are_an_axis_of_a_sweep(ssh_board: SshBoard, tmp_path: Path) -> None:
    shutil.copy(artifact("bearing"), tmp_path / "net.onnx")
    path = tmp_path / "sweep.toml"
    hosts = f'["local", "{ssh_board.address}", "nobody.invalid"]'
    path.write_text(
        f'models = ["net.onnx"]\nthreads = [1]\nclocks = ["model"]\nhosts = {hosts}\nremote_python = "{sys.executable}"\n'
    )
    said: list[str] = []
    results = run_sweep(read_sweep(path), told=said.append)
    assert [result.document is None for result in results] == [False, False, True]
    (failed,) = [line for line in said if "nobody.invalid" in line]
    assert "there is no machine called nobody.invalid" in failed
    table = to_sweep_table(results)
    assert ssh_board.address in table
    for result in results[:2]:
        assert result.document is not None
        assert len(result.document["files"][0]["clocks"]["model"]["samples_ms"]) >= 64
    # only what failed is measured again
    told: list[str] = []
    again = run_sweep(read_sweep(path), told=told.append)
    assert "2 of 3 cells were measured before" in told
    assert [result.is_new for result in again] == [False, False, True]
    assert ssh_board.wait_until_idle() == []
