"""Releases of a service: folders with numbers, of which the link ``current`` names the one that runs; the switch is one rename."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.remote.agent.files import read_json, write_json
from edgecnn.remote.agent.places import inside, made, root_of

KEPT = 3


def prepare(request: dict[str, Any]) -> dict[str, Any]:
    """A folder for the release with the digest ``digest``: the one that an earlier attempt left unfinished, else a new number."""
    service = service_folder(request)
    made(service / "releases")
    for number in _numbers(service):
        if read_json(_release(service, number) / "draft.json") == {"digest": request["digest"]}:
            return _described(service, number)
    number = max([0, *_numbers(service)]) + 1
    made(_release(service, number))
    write_json(_release(service, number) / "draft.json", {"digest": request["digest"]})
    return _described(service, number)


def complete(request: dict[str, Any]) -> dict[str, Any]:
    """Write the start script, the unit and the record of a release, whose files are there."""
    service = service_folder(request)
    folder = _release(service, request["number"])
    made(service / "data")
    for name, mode in (("start", 0o755), ("unit", 0o644)):
        (folder / name).write_text(request[name], encoding="utf-8")
        (folder / name).chmod(mode)
    write_json(folder / "release.json", request["record"])
    return {"number": request["number"]}


def discard(request: dict[str, Any]) -> dict[str, Any]:
    """Remove a release that does not run."""
    service = service_folder(request)
    if current(service) != request["number"]:
        shutil.rmtree(_release(service, request["number"]), ignore_errors=True)
    if not _numbers(service):
        shutil.rmtree(service, ignore_errors=True)
    return {"number": request["number"]}


def before(request: dict[str, Any]) -> dict[str, Any]:
    """The release that runs and the one before it. Raises ``InputError`` where there is none."""
    service = service_folder(request)
    now = current(service)
    older = [number for number in _finished(service) if now is not None and number < now]
    if now is None or not older:
        what = "is not deployed" if now is None else f"has no version before {now}"
        raise InputError(f"the service {service.name} {what}", "deploy a model file")
    return {"current": now, "previous": older[-1], "record": read_json(_release(service, older[-1]) / "release.json")}


def switch(service: Path, number: int | None) -> None:
    """Make ``number`` the release that runs, by one rename; None removes the link."""
    if number is None:
        (service / "current").unlink(missing_ok=True)
        return
    draft = service / f".current.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(Path("releases", str(number)))
    draft.replace(service / "current")
    (_release(service, number) / "draft.json").unlink(missing_ok=True)


def prune(service: Path) -> None:
    """Remove all but the newest releases and the one that runs."""
    for number in _numbers(service)[:-KEPT]:
        if number != current(service):
            shutil.rmtree(_release(service, number), ignore_errors=True)


def current(service: Path) -> int | None:
    """The number of the release that runs."""
    try:
        return int((service / "current").readlink().name)
    except (OSError, ValueError):
        return None


def service_folder(request: dict[str, Any]) -> Path:
    """The folder of a service."""
    return inside(root_of(request), "services", request["service"])


def unit_text(service: Path, number: int) -> str:
    """The unit of a release."""
    return (_release(service, number) / "unit").read_text(encoding="utf-8")


def _described(service: Path, number: int) -> dict[str, Any]:
    return {"number": number, "folder": f"services/{service.name}/releases/{number}", "current": current(service)}


def _release(service: Path, number: int) -> Path:
    return service / "releases" / str(number)


def _numbers(service: Path) -> list[int]:
    folder = service / "releases"
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal()) if folder.is_dir() else []


def _finished(service: Path) -> list[int]:
    return [number for number in _numbers(service) if (_release(service, number) / "release.json").is_file()]
