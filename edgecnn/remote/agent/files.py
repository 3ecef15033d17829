"""Files to and from the board; a copy that was cut goes on where it ended."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.files import sync
from edgecnn.json_text import dump_json
from edgecnn.remote.agent.places import check_space, inside, made, root_of

BLOCK = 1 << 16


def received(request: dict[str, Any]) -> dict[str, Any]:
    """Bytes of a file that are here already, and whether it is complete; checks that the rest fits on the disk."""
    target = _target(request)
    if target.is_file() and target.stat().st_size == request["size"] and _sha256(target) == request["sha256"]:
        os.utime(target)
        return {"size": request["size"], "complete": True}
    made(target.parent)
    part = _part(target, request)
    there = part.stat().st_size if part.is_file() else 0
    if there > request["size"]:
        part.unlink()
        there = 0
    check_space(target.parent, request["size"] - there)
    return {"size": there, "complete": False}


def receive(request: dict[str, Any]) -> dict[str, Any]:
    """Append standard input to a file from ``offset`` on; with the last byte it gets its name, if its SHA-256 is right."""
    target = _target(request)
    part = _part(target, request)
    with part.open("r+b" if part.exists() else "wb") as out:
        out.truncate(request["offset"])
        out.seek(request["offset"])
        while block := sys.stdin.buffer.read(BLOCK):
            out.write(block)
    size = part.stat().st_size
    if size < request["size"]:
        return {"size": size, "complete": False}
    if _sha256(part) != request["sha256"]:
        part.unlink()
        return {"size": 0, "complete": False}
    sync(part)
    part.replace(target)
    return {"size": size, "complete": True}


def drop(request: dict[str, Any]) -> dict[str, Any]:
    """Remove ``folder`` with all that is in it."""
    shutil.rmtree(inside(root_of(request), request["folder"]), ignore_errors=True)
    return {"folder": request["folder"]}


def listing(request: dict[str, Any]) -> dict[str, Any]:
    """All regular files below ``folder``: name, size and SHA-256."""
    folder = inside(root_of(request), request["folder"])
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        "files": [{"name": str(path.relative_to(folder)), "size": path.stat().st_size, "sha256": _sha256(path)} for path in found]
    }


def send(request: dict[str, Any]) -> None:
    """Write a file from ``offset`` on to standard output."""
    path = _target(request)
    if not path.is_file():
        raise InputError(f"{path} is not there any more", "run it again")
    with path.open("rb") as source:
        source.seek(request["offset"])
        shutil.copyfileobj(source, sys.stdout.buffer, BLOCK)
    sys.stdout.buffer.flush()


def write_json(path: Path, value: Any) -> None:
    """A small file that is there whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(dump_json(value), encoding="utf-8")
    draft.replace(path)


def read_json(path: Path) -> Any:
    """The values of a file of ``write_json``; None where it is absent."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _target(request: dict[str, Any]) -> Path:
    return inside(root_of(request), request["path"])


def _part(target: Path, request: dict[str, Any]) -> Path:
    # two machines that copy the same file do not write into one part
    return target.with_name(f".{target.name}.{request['client']}.part")


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            found.update(block)
    return found.hexdigest()
