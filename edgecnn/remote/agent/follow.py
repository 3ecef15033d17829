"""Follows a job: what it printed, from given offsets on, and how it ended; renews its lease while the other side is heard."""

from __future__ import annotations

import base64
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.remote.agent.jobs import is_alive, job_folder, state

STEP_S = 0.25
MOST = 1 << 16


def follow(request: dict[str, Any]) -> None:
    """Write lines of JSON, {"stdout": base64} and {"stderr": base64}, then {"end": state}; ends with standard input.

    ``offsets`` are the bytes of both that the other side has.
    """
    folder = job_folder(request)
    if not folder.is_dir():
        raise InputError("the run is not there any more", "run it again")
    offsets = dict(request["offsets"])
    while True:
        ended = state(folder)  # before the last reading, so that nothing is missed
        alive = is_alive(folder)
        for name in ("stdout", "stderr"):
            while block := _read(folder / name, offsets[name]):
                offsets[name] += len(block)
                _say({name: base64.b64encode(block).decode()})
        if ended is not None:
            _say({"end": ended})
            return
        if not alive and state(folder) is None:
            _say({"end": {"exit": 2, "why": "lost"}})
            return
        if not _heard(folder):
            return


def _heard(folder: Path) -> bool:
    """Wait a moment; whether the other side still is there."""
    if not select.select([0], [], [], STEP_S)[0]:
        return True
    if not os.read(0, 4096):
        return False
    now = time.time()
    os.utime(folder / "lease", (now, now))
    return True


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as source:
            source.seek(offset)
            return source.read(MOST)
    except FileNotFoundError:
        return b""


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(dump_json(line) + "\n")
    sys.stdout.flush()
