from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgecnn.devices import boards, engine_queries, machine
from edgecnn.devices.boards.board import Accelerator, EngineFound

Tree = Callable[[Mapping[str, str]], Path]


def answers(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Engines are asked by ``code`` in place of their own processes."""
    monkeypatch.setattr(engine_queries, "module_command", lambda module, name: [sys.executable, "-c", code, name])
    monkeypatch.setattr(engine_queries, "PACKAGES", {"onnxruntime": (("onnx",), ("onnxruntime",))})


def test_engines_and_what_they_find(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {"devices": ["cpu", "npu"], "accelerators": [{"kind": "npu", "name": "AI Boost", "device": "npu"}]}
    answers(monkeypatch, f"print('noise of a driver'); print({json.dumps(reply)!r})")
    found, accelerators = engine_queries.engines()
    assert [(one.name, one.formats, one.devices) for one in found] == [("onnxruntime", ("onnx",), ("cpu", "npu"))]
    assert accelerators == (Accelerator("npu", "AI Boost", "npu"),)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ended by signal SIGSEGV"),
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import time; time.sleep(60)", "did not answer within 0.2 s"),
    ],
)
def test_an_engine_that_crashes_or_hangs_is_named_all_the_same(code: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_queries, "TIMEOUT_S", 0.2 if "sleep" in code else 30)
    answers(monkeypatch, code)
    ((engine,), accelerators) = engine_queries.engines()
    assert (engine.text, accelerators) == (said, ())


def test_the_installed_onnx_runtime_answers_for_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn.devices.engine_queries", "onnxruntime"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["devices"][0] == "cpu"


def test_the_model_that_tries_a_provider_is_right() -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(engine_queries.identity_model(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.float32([3])})[0].tolist() == [3]


def test_a_probed_machine_is_a_board(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = (EngineFound("onnxruntime", "1.2", ("onnx",), ("cpu",)),)
    monkeypatch.setattr(machine, "engines", lambda: (found, (Accelerator("gpu", "Arc", "openvino:gpu"),)))
    root = tree(
        {
            "proc/cpuinfo": "processor\t: 0\nFeatures\t: asimd asimddp\nCPU part\t: 0xd0b\n",
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/meminfo": "MemTotal: 2097152 kB\nSwapTotal: 102400 kB\n",
            "sys/devices/system/cpu/online": "0",
            "sys/fs/cgroup/memory.max": str(512 << 20),
            "sys/fs/cgroup/cpu.max": "150000 100000",
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        }
    )
    board = machine.probe_machine(root, with_cameras=False)
    assert (board.profile.name, board.profile.memory_mib) == ("Raspberry Pi 5 Model B Rev 1.0", 512)
    assert board.systems[0].name == "Debian GNU/Linux 12 (bookworm)"
    assert board.limits is not None
    assert (board.limits.cpu_quota_cpus, board.limits.memory_limit_mib, board.limits.swap_mib) == (1.5, 512, 100)
    assert board.clusters[0].cpu == "Cortex-A76"
    path = tmp_path / "mine.toml"
    path.write_text(boards.board_toml(board))
    assert boards.board(str(path)) == board
