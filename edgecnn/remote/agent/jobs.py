"""Starts and ends jobs: commands that go on while the connection is cut, and end where nobody comes back."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from edgecnn.errors import BackendError
from edgecnn.remote.agent.files import read_json, write_json
from edgecnn.remote.agent.places import check_space, inside, made, root_of
from edgecnn.remote.agent.tidy import tidy

START_S = 20.0
TIDY_S = 12.0


def start(request: dict[str, Any]) -> dict[str, Any]:
    """Start the job ``id``, unless it runs already, or has ended and is to be taken up; whether it is new.

    ``words`` is the command, or ``verb`` one of this archive with the request ``request``; ``environment`` are further variables. The
    command starts in the job's folder ``out``. A ``session`` asks twice where the connection was cut meanwhile; one that ``resumes``
    takes up what ended after another session was gone, for as long as a job runs on alone.
    """
    # one start at a time: the first may still go on where the connection was cut and made again
    with Path(sys.argv[0]).open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {"new": not _is_there(job_folder(request), request) and _started(request)}


def _started(request: dict[str, Any]) -> bool:
    root, folder = root_of(request), job_folder(request)
    tidy(root)
    check_space(root, 0)
    shutil.rmtree(folder, ignore_errors=True)
    made(folder / "out")
    folder.parent.chmod(0o700)  # variables of a job may be secrets
    spec = {name: request[name] for name in ("words", "environment", "lease_s", "grace_s", "session")}
    if request.get("verb"):
        write_json(folder / "request.json", request["request"])
        spec["words"] = [sys.executable, sys.argv[0], request["verb"], str(folder / "request.json")]
    (folder / "lease").touch()
    write_json(folder / "spec.json", spec)
    write_json(folder / "supervise.json", {"folder": str(folder)})
    with (folder / "supervisor.log").open("wb") as log:
        words = [sys.executable, sys.argv[0], "supervise", str(folder / "supervise.json")]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
    until = time.monotonic() + START_S
    while not is_alive(folder) and not (folder / "state.json").exists():
        if process.poll() is not None or time.monotonic() > until:
            text = (folder / "supervisor.log").read_text(errors="replace").strip().splitlines()
            raise BackendError(f"the job could not be started: {text[-1] if text else 'no message'}", "try again")
        time.sleep(0.02)
    return True


def _is_there(folder: Path, request: dict[str, Any]) -> bool:
    """Whether the job runs, or ended so lately that whoever started it, or resumes it, has to know."""
    spec = read_json(folder / "spec.json")
    if spec is None:
        return False
    if is_alive(folder):
        return True
    ended = state(folder)
    if ended is None:
        return False
    if spec.get("session") == request["session"]:
        return True
    age_s = time.time() - (folder / "state.json").stat().st_mtime
    return bool(request["resumes"]) and ended["why"] == "ended" and age_s < spec["lease_s"]


def stop(request: dict[str, Any]) -> dict[str, Any]:
    """Ask the job to end by ``signal`` (INT, TERM or KILL); its supervisor sends it."""
    folder = job_folder(request)
    if folder.is_dir() and is_alive(folder):
        write_json(folder / "stop.json", {"signal": request["signal"]})
    return {"alive": is_alive(folder)}


def remove(request: dict[str, Any]) -> dict[str, Any]:
    """End the job if it still runs, and remove all that is left of it."""
    folder = job_folder(request)
    began = time.monotonic()
    asked = ""
    while folder.is_dir() and is_alive(folder) and (spent := time.monotonic() - began) < START_S:
        # a verb of the agent removes what it has half done
        signal = "TERM" if (folder / "request.json").exists() and spent < TIDY_S else "KILL"
        if signal != asked:
            write_json(folder / "stop.json", {"signal": signal})
            asked = signal
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)
    return {"alive": folder.exists() and is_alive(folder)}


def job_folder(request: dict[str, Any]) -> Path:
    """The folder of a job."""
    return inside(root_of(request), "jobs", request["id"])


def is_alive(folder: Path) -> bool:
    """Whether the job's supervisor runs: it holds a lock that the kernel frees however it ends."""
    try:
        handle = os.open(folder / "alive", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def state(folder: Path) -> dict[str, Any] | None:
    """How the job ended; None while it runs."""
    found: dict[str, Any] | None = read_json(folder / "state.json")
    return found
