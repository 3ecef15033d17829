"""A file that is new here is loaded in a helper first; a crash, an endless load or a demand for all memory is one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import BackendError
from edgecnn.runtime.backends import trial_load
from edgecnn.runtime.backends.trial_load import open_checked, remember
from tests.contracts.tiny import Graph, _field, _node, _tensor, _value_info, write_onnx

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and signals of Linux")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(trial_load.SWITCH)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_onnx(tmp_path / "tiny.onnx", Graph({"out": np.zeros((1, 4), np.float32)}))


def marks(tmp_path: Path) -> int:
    return len(list((tmp_path / "cache/edgecnn/loaded").glob("*")))


def helper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """The helper runs this code instead."""
    (tmp_path / "stand_in.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(trial_load, "MODULE", "stand_in")


def test_a_new_file_is_loaded_in_the_helper_once(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    open_checked(file).close()
    assert marks(tmp_path) == 1
    helper(monkeypatch, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    open_checked(file).close()  # known: the helper, which would crash, is not started
    file.rename(file.with_name("renamed.onnx"))
    open_checked(file.with_name("renamed.onnx")).close()
    assert capfd.readouterr() == ("", "")


def test_a_changed_file_is_loaded_in_the_helper_again(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(file)
    os.utime(file, ns=(1, 1))
    helper(monkeypatch, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
    with pytest.raises(BackendError, match=r"^ONNX Runtime crashes when it loads .*tiny\.onnx \(SIGABRT\); the file is damaged"):
        open_checked(file)
    assert marks(tmp_path) == 1


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGSEGV)", r"crashes when it loads .* \(SIGSEGV\)", id="crash"),
        pytest.param(
            "resource.setrlimit(resource.RLIMIT_CPU, (0, 9))\nwhile True: pass",
            "took too long to load .*damaged, or this machine is slow; .*EDGECNN_TRIAL_LOAD=240",
            id="endless",
        ),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "short of memory", id="out-of-memory"),
        pytest.param("""print('{"problem": "the engine says no", "fix": "copy"}')""", "the engine says no; copy", id="refused"),
    ],
)
def test_what_the_helper_meets_is_one_line(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, problem: str
) -> None:
    helper(monkeypatch, tmp_path, f"import os, resource, signal\n{code}")
    with pytest.raises(BackendError, match=problem) as error:
        open_checked(file)
    assert "\n" not in str(error.value)
    assert not marks(tmp_path)


def test_a_slow_machine_has_more_time_and_the_user_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(trial_load.SWITCH)
    assert trial_load.cpu_limit_s(0.5, 0) == 8  # a PC
    assert trial_load.cpu_limit_s(12, 5 << 20) == 137  # a small board, and 5 MiB
    monkeypatch.setenv(trial_load.SWITCH, "300")
    assert trial_load.cpu_limit_s(12, 5 << 20) == 312
    monkeypatch.setenv(trial_load.SWITCH, "soon")
    assert trial_load.cpu_limit_s(0.5, 0) == 8


def test_the_time_that_the_user_allows_reaches_the_helper(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trial_load.SWITCH, "300")
    code = "import os; from pathlib import Path; Path('%s').write_text(os.environ['EDGECNN_TRIAL_LOAD'])"
    helper(monkeypatch, tmp_path, code % (tmp_path / "told"))
    open_checked(file).close()
    assert (tmp_path / "told").read_text() == "300"


@pytest.mark.parametrize(
    "code", [pytest.param("raise ImportError", id="import"), pytest.param("print('[1]')", id="other-output")]
)
def test_a_helper_that_can_not_work_is_ignored(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    helper(monkeypatch, tmp_path, code)
    open_checked(file).close()
    assert marks(tmp_path) == (1 if code.startswith("print") else 0)  # one that failed has not loaded the file


def test_without_a_cache_folder_nothing_is_remembered(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))  # a file, so no folder can be made in it
    remember(file)
    helper(monkeypatch, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(BackendError, match="crashes"):
        open_checked(file)


@pytest.mark.parametrize("value", ["off", "OFF", "0"])
def test_the_switch_starts_no_helper(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(trial_load.SWITCH, value)
    helper(monkeypatch, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    open_checked(file).close()
    remember(file)
    assert not marks(tmp_path)


def test_the_helper_imports_nothing_from_the_working_folder(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in ("numpy", "json", "edgecnn", "runpy"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w').close()")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    open_checked(file).close()
    assert marks(tmp_path) == 1
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("frozen", [True, False])
def test_a_program_that_is_no_python_is_not_started_as_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen: bool
) -> None:
    program = tmp_path / ("python" if frozen else "application")
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    open_checked(file).close()


def test_a_model_that_asks_for_all_memory_is_refused(file: Path) -> None:
    """Expand to 2^35 values: 128 GiB."""
    nodes = [
        _node("Cast", ["image"], "real", to=1),
        _node("ReduceMean", ["real"], "mean", keepdims=0),
        _node("Expand", ["mean", "sizes"], "huge"),
        _node("ReduceMean", ["huge"], "out", keepdims=0),
    ]
    body = b"".join(_field(1, node) for node in nodes) + _field(2, "huge") + _field(5, _tensor("sizes", np.array([1 << 35])))
    body += _field(11, _value_info("image", "uint8", (1, 8, 8, 3))) + _field(12, _value_info("out", "float32", ()))
    file.write_bytes(_field(1, 8) + _field(7, body) + _field(8, _field(1, "") + _field(2, 13)))
    with pytest.raises(BackendError, match=r"^ONNX Runtime asks for too much memory to run .*tiny\.onnx; the file is damaged"):
        open_checked(file)
