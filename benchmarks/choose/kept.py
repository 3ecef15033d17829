"""Choices in the profile of the device, in the user's data folder: what was chosen, and all that it depends on.

A choice is used again as long as files, device, engines, limits and data are those of its measurement.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import edgecnn
from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.devices import DeviceProfile
from edgecnn.devices.environment import packages
from edgecnn.errors import EdgeCnnError
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.user_folders import data_folder

SCHEMA, VERSION = "edgecnn.choice", 1
# What a run depends on; limits, data and options of the card belong to the choice alone.
OF_THE_RUN: Final = ("files", "device", "processors", "engines", "edgecnn")
OF_THE_SEARCH: Final = ("percentile", "threads", "engine", "max_minutes")  # among the limits, but not of the budget
SHOWN: Final = {
    "files": "a file",
    "device": "the device",
    "processors": "the number of processors",
    "engines": "the version of an engine",
    "edgecnn": "the version of edgecnn",
    "limits": "the limits",
    "data": "the data",
    "options": "the options",
}


def circumstances(config: ChooseConfig, paths: Sequence[Path], device: DeviceProfile) -> dict[str, Any]:
    """All that a choice depends on, as plain values of JSON; files by their SHA-256."""
    data = None if config.data is None else dataclasses.asdict(config.data)
    options = {name: str(value) for name, value in dataclasses.asdict(config.options).items() if value is not None}
    found = {
        "files": {str(path): sha256_of(path) for path in paths},
        "device": device.slug,
        "processors": device.usable_cpus,
        "engines": packages(),
        "edgecnn": edgecnn.__version__,
        "limits": {
            **config.budget.to_document(),
            "threads": config.threads,
            "engine": config.engine,
            "max_minutes": config.max_minutes,
        },
        "data": data,
        "options": {**options, "device": str(config.device)},
    }
    plain: dict[str, Any] = json.loads(dump_json(found))
    return plain


def differences(kept: Mapping[str, Any], now: Mapping[str, Any], names: Sequence[str] = tuple(SHOWN)) -> list[str]:
    """What is different now, in words."""
    before = kept.get("circumstances", {})
    return [SHOWN[name] for name in names if before.get(name) != now.get(name)]


def restored(config: ChooseConfig, kept: Mapping[str, Any], paths: Sequence[Path]) -> ChooseConfig:
    """``config`` with the limits and data of a kept choice, among ``paths``, too; those of ``config`` where they can't be read."""
    before = kept["circumstances"]
    with suppress(TypeError, ValueError, KeyError):
        limits = {name: value for name, value in before["limits"].items() if name not in OF_THE_SEARCH}
        data = None if before["data"] is None else DatasetSelection(**before["data"])
        files = tuple(dict.fromkeys([*config.files, *paths]))
        return dataclasses.replace(config, files=files, budget=Budget(**limits), data=data)
    return config


def place(device: DeviceProfile, paths: Sequence[Path]) -> Path | None:
    """The file that keeps the choice between ``paths``; None without a data folder."""
    folder = data_folder()
    if folder is None:
        return None
    name = hashlib.sha256("\n".join(sorted(map(str, paths))).encode(errors="surrogateescape")).hexdigest()[:16]
    return folder / "devices" / device.slug / "choices" / f"{name}.json"


def keep(document: Mapping[str, Any], device: DeviceProfile, paths: Sequence[Path]) -> Path | None:
    """Write a choice; None where the folder can't be written, which only costs the next measurement."""
    path = place(device, paths)
    if path is None:
        return None
    with suppress(OSError, EdgeCnnError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, dump_json(document, indent=1))
        return path
    return None


def read(device: DeviceProfile, paths: Sequence[Path]) -> dict[str, Any] | None:
    """The choice that was kept for exactly these files, or the newest one among other files, too; None without one."""
    own = place(device, paths)
    if own is None:
        return None
    found = _document(own)
    if found is not None:
        return found
    others = filter(None, map(_document, own.parent.glob("*.json")))
    wanted = set(map(str, paths))
    return max(
        (one for one in others if wanted <= one["circumstances"]["files"].keys()), key=lambda one: one["made"], default=None
    )


def _document(path: Path) -> dict[str, Any] | None:
    """A kept document; None for one that is missing, of another version or damaged."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and (found.get("schema"), found.get("version")) == (SCHEMA, VERSION):
            return found if _complete(found) else None
    return None


def _complete(found: Mapping[str, Any]) -> bool:
    chosen, circumstances = found.get("chosen"), found.get("circumstances")
    names = {"path": str, "engine": str, "threads": int}
    return (
        isinstance(found.get("made"), str)
        and isinstance(found.get("lines"), list)
        and isinstance(circumstances, dict)
        and isinstance(circumstances.get("files"), dict)
        and isinstance(chosen, dict)
        and all(isinstance(chosen.get(name), kind) for name, kind in names.items())
    )
