"""Loads a model file that is new on this machine in a helper process first: a damaged file can crash the engine, or never end.

A crash, an endless load or a demand for all memory then ends the helper, and the caller gets one ``BackendError``. A file that
loaded is remembered by its inode, size and time, per version of the engine, as an empty file in the user's cache folder, so it costs
the helper once. The files of the package, and those that were exported on this machine, are known to load.
The time that loading may take goes by what importing the engine took, which tells how fast the machine is. ``EDGECNN_TRIAL_LOAD=300``
allows 300 s of processor time, ``EDGECNN_TRIAL_LOAD=off`` starts no helper.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from edgecnn.child_process import can_start, data_bytes, limit_resource, module_command
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import BackendError
from edgecnn.json_text import dump_json
from edgecnn.runtime.backends import Backend, file_format, model_stamps, open_backend
from edgecnn.runtime.backends.engines import engine_for, engine_module
from edgecnn.shipped import artifact, is_shipped
from edgecnn.system_errors import limit_met
from edgecnn.types import TensorSpec
from edgecnn.user_folders import cache_folder

SWITCH: Final = "EDGECNN_TRIAL_LOAD"
MODULE: Final = "edgecnn.runtime.backends.trial_load"
_MIB: Final = 1 << 20
# Processor seconds, not those of the clock: a busy machine must not look like a damaged file. An endless load uses its processor.
_CPU_S: Final = 7.0
_IMPORTS: Final = 10  # or so many times what Python and the imports took: 0.6 s on a PC, 10 s and more on a small board
_WALL_S: Final = 120
_MEMORY: Final = 768 * _MIB  # beyond what Python and the engine have taken, and beyond eight times the file
_REMEMBERED: Final = 2000  # files
_CRASHES: Final = {"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"}
_AGAIN: Final = "the file is damaged: export or copy it again"


def open_checked(
    path: Path | str, device: Device | str = CPU, *, threads: int | None = None, requests: int = 1, engine: str | None = None
) -> Backend:
    """``open_backend`` for a file of unknown origin: one that is new on this machine is loaded in a helper process first.

    Raises what ``open_backend`` raises, and ``BackendError`` for a file that crashes its engine, or overruns time or memory.
    """
    path = artifact(path)
    _check_loads(path, engine)
    return open_backend(path, device, threads=threads, requests=requests, engine=engine)


def remember(path: Path, engine: str | None = None) -> None:
    """Note that this process has loaded and run the file without a helper."""
    if not _is_off():
        _touch(_mark(path, engine))


def _check_loads(path: Path, engine: str | None) -> None:
    # No helper for checkpoints, which no engine reads, for the files of the package, and where none can be started.
    if _is_off() or file_format(path) == "torch" or _shipped(path, engine) or not can_start():
        return
    mark = _mark(path, engine)
    if (mark is None or not mark.exists()) and _load_in_helper(path, engine):
        _touch(mark)


def _shipped(path: Path, engine: str | None) -> bool:
    """Whether a file of the package is opened in the engine that it was verified with."""
    return is_shipped(path) and not engine


def _is_off() -> bool:
    return os.environ.get(SWITCH, "").lower() in ("off", "0", "no", "false")


def _mark(path: Path, engine: str | None = None) -> Path | None:
    """The empty file that says that ``path`` loaded before, as it is now; None without a cache folder."""
    cache = cache_folder()
    if cache is None:
        return None
    version = _engine(path, engine).engine_version()
    kept = [each[:-1] for each in model_stamps(path)]  # without the time that a new name changes, too
    key = dump_json([kept, version])
    return cache / "loaded" / hashlib.sha256(key.encode()).hexdigest()


def _touch(mark: Path | None) -> None:
    """Write the mark; where that is not possible, the file is checked again the next time."""
    if mark is None:
        return
    with contextlib.suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        marks = list(mark.parent.iterdir())
        for old in sorted(marks, key=lambda each: each.stat().st_mtime)[:-_REMEMBERED]:
            old.unlink(missing_ok=True)


def _load_in_helper(path: Path, engine: str | None) -> bool:
    """Whether a helper loaded the file; False where none could be started or it met something else. Raises ``BackendError``."""
    import subprocess  # here, since most starts of edgecnn need no helper

    command = module_command(MODULE, str(path.absolute()), *filter(None, [engine]))
    environment, nothing = dict(os.environ), subprocess.DEVNULL
    try:
        # errors of the engine come as JSON on stdout; what it prints itself goes nowhere
        with subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, env=environment) as helper:
            try:
                output, _ = helper.communicate(timeout=max(_WALL_S, 4 * (_given_s() or 0)))
            except subprocess.TimeoutExpired:
                helper.kill()
                raise _too_long(path, engine) from None
            except BaseException:
                helper.kill()
                raise
    except OSError:  # no process can be started here
        return False
    _judge(path, engine, helper.returncode, output)
    return helper.returncode == 0


def _judge(path: Path, engine: str | None, code: int, output: bytes) -> None:
    """Raise ``BackendError`` for what the helper met. Any other end, such as a Python that can't import edgecnn, says nothing."""
    name = signal.Signals(-code).name if code < 0 else ""
    if name == "SIGXCPU":
        raise _too_long(path, engine)
    if name in _CRASHES:
        raise BackendError(f"{_engine(path, engine).ENGINE} crashes when it loads {path} ({name})", _AGAIN)
    if name == "SIGKILL":
        raise BackendError(
            f"loading {path} with {_engine(path, engine).ENGINE} was ended by the system, which is short of memory", _AGAIN
        )
    if code == 0 and output:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            reported = json.loads(output)
            raise BackendError(reported["problem"], reported["fix"])


def _too_long(path: Path, engine: str | None) -> BackendError:
    """A damaged file may load for ever, and a large one on a slow machine for minutes: from outside both look the same."""
    longer = math.ceil(4 * (_given_s() or 60) / 60) * 60
    return BackendError(
        f"{_engine(path, engine).ENGINE} took too long to load {path}, which is new here: the file is damaged, or this machine is slow",
        f"copy it again, or set {SWITCH}={longer} to allow {longer} s, {SWITCH}=off for no limit",
    )


def _given_s() -> float | None:
    """The processor seconds that the user allows; None where the limit is that of the machine."""
    try:
        found = float(os.environ.get(SWITCH, ""))
    except ValueError:
        return None
    return found if 0 < found < 1e9 else None


def cpu_limit_s(spent_s: float, size: int) -> int:
    """Processor seconds at which the helper of a file of ``size`` bytes ends, if it took ``spent_s`` for Python and its imports."""
    allowed = _given_s() or max(_CPU_S, _IMPORTS * spent_s) + size // _MIB
    return math.ceil(spent_s + allowed)


def _engine(path: Path, engine: str | None) -> ModuleType:
    return engine_module(engine_for(path, file_format(path), engine).name)


def main(path: Path, engine: str | None = None) -> None:
    """The helper: load the file and run it once; report a ``BackendError`` as JSON on standard output."""
    output = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    module = _engine(path, engine)
    getattr(module, "import_engine", lambda: None)()  # before the limits, which are those of the file
    size = sum(part.stat().st_size for part in (path, path.with_suffix(".bin")) if part.exists())
    limit_resource("RLIMIT_CPU", cpu_limit_s(sum(os.times()[:2]), size))
    limit_resource("RLIMIT_DATA", data_bytes() + _MEMORY + 8 * size)
    try:
        _run_once(path, engine, size)
    except Exception as error:
        found = error if isinstance(error, BackendError) else None
        if limit_met(error) is not None and _AGAIN not in str(found):
            found = BackendError(f"{module.ENGINE} asks for too much memory to load {path}", _AGAIN)
        # anything else, such as an engine that is not installed, the caller meets as well
        if found is not None:
            output.write(dump_json({"problem": found.problem, "fix": found.fix}))
    output.close()
    os._exit(0)  # an engine that loaded a damaged file may crash when it is freed


def _run_once(path: Path, engine: str | None, size: int) -> None:
    import numpy as np

    backend = open_backend(path, threads=1, engine=engine)
    feeds = {
        spec.name: np.zeros([max(length, 1) for length in spec.shape], spec.dtype) for spec in backend.inputs if _small(spec)
    }
    if len(feeds) < len(backend.inputs):
        return  # larger than any image input, which the card check refuses
    limit_resource("RLIMIT_DATA", data_bytes() + _MEMORY + 8 * size + 64 * sum(array.nbytes for array in feeds.values()))
    try:
        backend.run(feeds)
    except Exception as error:
        # any other failure may be due to these zeros
        if limit_met(error) is not None:
            raise BackendError(
                f"{_engine(path, engine).ENGINE} asks for too much memory to run {path}", f"{_AGAIN}; {SWITCH}=off sets no limit"
            ) from error


def _small(spec: TensorSpec) -> bool:
    return math.prod(max(length, 1) for length in spec.shape) <= 1 << 26


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
