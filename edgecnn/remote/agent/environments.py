"""Installs the runtime: a virtual environment of other packages, found by the digest of their wheels, and edgecnn's code beside it.

Both get a mark as their last step; what has no mark is never used, and removed by the next installation.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.remote.agent.files import write_json
from edgecnn.remote.agent.places import check_space, inside, made, root_of
from edgecnn.remote.agent.tidy import MARK

_LOOK = """import json, sys, importlib.util, edgecnn
missing = [name for name, modules in json.loads(sys.argv[1]).items() if not any(map(importlib.util.find_spec, modules))]
print(edgecnn.__version__, *missing)"""
PROOF = "import numpy, cv2, click, onnxruntime"


def find(request: dict[str, Any]) -> dict[str, Any]:
    """Whether the environment and the code of these digests are installed; their folders."""
    root = root_of(request)
    environment, code = root / "envs" / request["environment"], root / "code" / request["code"]
    return {
        "environment": _used(environment),
        "code": _used(code),
        "python": str(environment / "bin" / "python"),
        "code_folder": str(code),
    }


def look(request: dict[str, Any]) -> dict[str, Any]:
    """The version of edgecnn that ``python`` has installed, "" for none; ``missing``: names in ``modules`` of which it has no module."""
    none = {"version": "", "missing": []}
    try:
        done = _run([request["python"], "-c", _LOOK, dump_json(request.get("modules", {}))], clean=False)
    except OSError:
        return none
    if done.returncode:
        return none
    version, *missing = done.stdout.strip().splitlines()[-1].split()
    return {"version": version, "missing": missing}


def room(request: dict[str, Any]) -> dict[str, Any]:
    """Raise ``InputError`` where ``bytes`` do not fit on the disk."""
    check_space(root_of(request), request["bytes"])
    return {"bytes": request["bytes"]}


def install(request: dict[str, Any]) -> dict[str, Any]:
    """Make the environment ``environment`` of the wheels ``wheels``, of which one is pip; paths are below the root."""
    root = root_of(request)
    folder = root / "envs" / request["environment"]
    wheels = [inside(root, name) for name in request["wheels"]]
    with _removed_at_the_end(wheels), _locked(folder):
        if not _used(folder):
            check_space(folder, sum(map(_unpacked_bytes, wheels)))
            with _removed_after_failure(folder):
                _make(folder, wheels)
    return {"environment": True}


def unpack(request: dict[str, Any]) -> dict[str, Any]:
    """Unpack edgecnn's wheel into the folder of its digest."""
    root = root_of(request)
    folder, wheel = root / "code" / request["code"], inside(root, request["wheel"])
    with _removed_at_the_end([wheel]), _locked(folder):
        if not _used(folder):  # asked again after a cut, the first call may have done it
            check_space(folder, _unpacked_bytes(wheel))
            with _removed_after_failure(folder), zipfile.ZipFile(wheel) as packed:
                packed.extractall(folder)
                write_json(folder / MARK, {"time": time.time()})
    return {"code": True}


def _make(folder: Path, wheels: Sequence[Path]) -> None:
    import venv

    print(f"installing {len(wheels)} packages into {folder}", file=sys.stderr, flush=True)
    venv.EnvBuilder(symlinks=True).create(folder)
    python = str(folder / "bin" / "python")
    pip = next(wheel for wheel in wheels if wheel.name.startswith("pip-"))
    others = [str(wheel) for wheel in wheels if wheel != pip]
    options = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-input", "-q"]
    # a wheel is an archive that Python can run from, so the board needs neither pip nor ensurepip
    done = _run([python, f"{pip}/pip", "install", *options, *others])
    if done.returncode:
        raise InputError(f"pip can't install the runtime: {_last_line(done.stderr)}", "build the wheelhouse again")
    done = _run([python, "-c", PROOF])
    if done.returncode:
        raise InputError(f"the packages were installed, but can't be loaded there: {_why(done)}", _mend(done))
    write_json(folder / MARK, {"time": time.time(), "wheels": [wheel.name for wheel in wheels]})


def _run(words: list[str], *, clean: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command, ``clean`` without settings for pip and Python that this user may have."""
    environment = {name: value for name, value in os.environ.items() if not clean or not name.startswith(("PIP_", "PYTHON"))}
    environment["ORT_DISABLE_TELEMETRY"] = "1"  # as edgecnn does before it imports the engine
    return subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGILL:
        return "the processor lacks an instruction that they use (SIGILL)"
    return _last_line(done.stderr)


def _mend(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGILL:
        return "use older versions of onnxruntime and numpy in the wheelhouse"
    return "install the system library that is named, or other versions in the wheelhouse"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ")[:300].rstrip(".") if lines else "no message"


def _used(folder: Path) -> bool:
    """Whether an installation is complete; the time of its last use is kept for ``tidy``."""
    with contextlib.suppress(OSError):
        os.utime(folder / MARK)
        return True
    return False


def unpacked_bytes(packed: zipfile.ZipFile) -> int:
    """What the files of a wheel take on a disk."""
    # a file of a few bytes takes a block of 4 kB, and each .py gets a .pyc
    return sum(-(-each.file_size // 4096) * 4096 * (2 if each.filename.endswith(".py") else 1) for each in packed.infolist())


def _unpacked_bytes(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as packed:
        return unpacked_bytes(packed)


@contextlib.contextmanager
def _removed_at_the_end(wheels: Sequence[Path]) -> Iterator[None]:
    """Remove the packages after the installation, and after one that failed; one that was ended from outside is done again with them."""
    try:
        yield
    except Exception:
        _remove_folders(wheels)
        raise
    _remove_folders(wheels)


def _remove_folders(wheels: Sequence[Path]) -> None:
    for wheel in wheels:
        shutil.rmtree(wheel.parent, ignore_errors=True)


@contextlib.contextmanager
def _removed_after_failure(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)  # the rest of an installation that was killed
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One installation at a time of each digest; the others wait."""
    made(folder.parent)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
