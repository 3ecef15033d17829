"""What must be equal in two records so that their numbers may be compared, and what is worth a note where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgecnn.benchmarks.compare.record_file import MeasuredRun
from edgecnn.errors import InputError

# How many runs and rounds were made only changes the certainty, so of the protocol only its name is compared.
DEFINITION = {
    "device": ("device", "name"),
    "processor": ("device", "cpu"),
    "usable processors": ("device", "usable_cpus"),
    "engine device": ("engine_device",),
    "threads": ("threads",),
    "inputs": ("inputs",),
    "dataset": ("data",),
    "protocol": ("protocol", "name"),
    "camera frames/s": ("protocol", "camera_fps"),
}


def differences(before: MeasuredRun, after: MeasuredRun) -> list[str]:
    """What of the definition differs, such as ``threads 2 and 4``; the clocks of files are compared where files are matched."""
    pairs = {title: (_at(before.document, keys), _at(after.document, keys)) for title, keys in DEFINITION.items()}
    meanings = _at(before.document, ("clocks",)) or {}, _at(after.document, ("clocks",)) or {}
    clocks = [clock for clock in meanings[0] if clock in meanings[1] and meanings[0][clock] != meanings[1][clock]]
    return [
        *(f"{title} {_shown(a)} and {_shown(b)}" for title, (a, b) in pairs.items() if a != b),
        *(f"the meaning of the {clock} clock" for clock in clocks),
    ]


def check_definition(before: MeasuredRun, after: MeasuredRun, *, force: bool) -> list[str]:
    """The differences, for a note; raises ``InputError`` where there are some and not ``force``."""
    found = differences(before, after)
    if found and not force:
        raise InputError(
            f"{before.name} and {after.name} do not measure the same: {', '.join(found)}",
            "measure both in the same way, or give --force",
        )
    return found


def environment_notes(before: MeasuredRun, after: MeasuredRun) -> list[str]:
    """Versions and settings that differ; they may be the cause of a difference, or what is to be compared."""
    own = [run.document["environment"] for run in (before, after)]
    packages = [environment["packages"] for environment in own]
    names = sorted({*packages[0], *packages[1]})
    pairs = {name: (packages[0].get(name, ""), packages[1].get(name, "")) for name in names}
    settings = {"edgecnn": "commit", "kernel": "kernel", "python": "python", "governor": "cpu_governor"}
    pairs |= {title: (own[0].get(key, ""), own[1].get(key, "")) for title, key in settings.items()}
    return [f"{title} {_shown(a)} and {_shown(b)}" for title, (a, b) in pairs.items() if a != b]


def _at(document: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    found: Any = document
    for key in keys:
        found = found.get(key)
    return found


def _shown(value: Any) -> str:
    return "(none)" if value in (None, "") else str(value)
