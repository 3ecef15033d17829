"""What the system refuses becomes one line that names the limit; packages that are absent and those that are broken differ."""

from __future__ import annotations

import errno
import os
import pickle
import resource
from collections.abc import Callable

import pytest

from edgecnn.backend_errors import inference_error, load_error
from edgecnn.errors import BackendError, EdgeCnnError, InputError, LimitError, MissingExtraError, rebuilt
from edgecnn.system_errors import explain, limit_met, missing_extra


def of(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(MemoryError(), "out of memory", id="python"),
        pytest.param(MemoryError("Unable to allocate 7.00 GiB for an array"), "out of memory", id="numpy"),
        pytest.param(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "out of memory", id="torch"),
        pytest.param(RuntimeError("Exception from src/x.cpp:1:\nstd::bad_alloc"), "out of memory", id="openvino"),
        pytest.param(of(errno.ENOMEM), "out of memory", id="system"),
        pytest.param(ImportError("liba.so: failed to map segment from shared object"), "out of memory", id="library"),
        pytest.param(of(errno.EMFILE, "a.jpg"), "too many files are open: this process may open", id="files"),
        pytest.param(
            RuntimeError("unable to open shared memory: Too many open files (24)"), "too many files", id="files-in-torch"
        ),
        pytest.param(RuntimeError("can't start new thread"), "no further thread or process can be started", id="threads"),
        pytest.param(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "no further thread", id="processes"),
    ],
)
def test_a_limit_is_named(error: Exception, message: str) -> None:
    found = limit_met(error)
    assert isinstance(found, LimitError)
    assert str(found).startswith(message)
    assert "\n" not in str(found)


def test_the_limit_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (32 if which == resource.RLIMIT_NOFILE else 3 << 30, -1))
    assert "this process may open 32" in str(limit_met(of(errno.EMFILE)))
    assert "this process may use 3 GiB (ulimit -v)" in str(limit_met(MemoryError()))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert str(limit_met(MemoryError())).startswith("out of memory; ")


def test_a_limit_is_found_below_the_error_that_hides_it() -> None:
    error = InputError("w.pt is damaged", "copy it again")
    error.__cause__ = MemoryError()
    assert str(explain(error)).startswith("out of memory")


@pytest.mark.parametrize(
    "make", [lambda error: load_error("net.xml", "OpenVINO", error), lambda error: inference_error("ORT", error)]
)
def test_engines_name_the_limit_too(make: Callable[[Exception], BackendError]) -> None:
    found = make(RuntimeError("bad allocation"))
    assert "out of memory" in found.problem
    assert "smaller model" in found.fix
    assert "out of memory" not in str(make(RuntimeError("another reason")))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(of(errno.ENOSPC, "out.mp4"), "can't write out.mp4: no space left on device; free some space", id="full"),
        pytest.param(of(errno.EROFS, "a/b"), "can't use a/b: read-only file system; check the path", id="read-only"),
        pytest.param(of(errno.EPERM), "the operating system refused an operation: operation not permitted", id="no-name"),
        pytest.param(OSError("libGL.so.1: cannot open shared object file"), "a library can't be loaded: libGL.so.1", id="ctypes"),
        pytest.param(
            ImportError("libx.so: bad ELF", name="cv2.gapi"), "the package cv2 is installed, but can't be loaded", id="broken"
        ),
        pytest.param(
            ModuleNotFoundError("No module named 'x.y'", name="x.y"), "the package x is not installed; run: pip", id="absent"
        ),
    ],
)
def test_what_the_system_says_is_one_line(error: Exception, message: str) -> None:
    found = explain(error)
    assert isinstance(found, EdgeCnnError)
    assert str(found).startswith(message)


@pytest.mark.parametrize("error", [KeyError("a"), ValueError("b"), AssertionError()])
def test_faults_of_edgecnn_are_not_explained_away(error: Exception) -> None:
    assert explain(error) is None


def test_an_absent_extra_and_a_broken_one() -> None:
    absent = missing_extra(ModuleNotFoundError("No module named 'av'", name="av"), "av", "video")
    broken = missing_extra(ImportError("libavcodec.so.61: cannot open shared object file", name="av._core"), "av", "video")
    assert str(absent) == 'av is not installed; run: pip install "edgecnn[video]"'
    assert str(broken).startswith("av is installed, but can't be loaded: libavcodec.so.61: cannot open")
    assert isinstance(missing_extra(ImportError("liba.so: Too many open files"), "av", "video"), LimitError)
    for error in (absent, broken):
        assert isinstance(error, MissingExtraError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
        assert str(rebuilt(type(error), error.problem, error.fix)) == str(error)
