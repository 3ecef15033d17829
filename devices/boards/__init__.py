"""Profiles of known boards, one TOML file per board in this folder.

A file holds the fields of ``DeviceProfile``::

    name = "Example Board"            # required
    arch = "aarch64"                  # required, as `uname -m` prints it
    cpu = "Cortex-A76"                # required
    cores = 4                         # required, at least 1
    usable_cpus = 4                   # default: cores
    features = ["neon", "dotprod"]    # instruction sets by the names that edgecnn.devices.probe uses
    memory_mib = 8192
    formats = ["onnx", "tflite"]      # file formats whose engine runs on the board
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.devices.probe import ENGINES, FEATURES
from edgecnn.devices.profile import DeviceProfile
from edgecnn.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
REQUIRED: Mapping[str, type] = {"name": str, "arch": str, "cpu": str, "cores": int}
OPTIONAL: Mapping[str, type] = {"usable_cpus": int, "features": list, "memory_mib": int, "formats": list}
CHOICES = {"features": tuple(dict.fromkeys(FEATURES.values())), "formats": tuple(ENGINES)}
TYPE_NAMES = {str: "a text", int: "a whole number", list: "a list of texts"}


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of all board profiles: file names without .toml, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def load(name: str, folder: Path = FOLDER) -> DeviceProfile:
    """The profile of a board; raises ``InputError`` for an unknown name and for a file that does not fit the schema."""
    if name not in names(folder):
        known = ", ".join(names(folder)) or "none"
        raise InputError(f"there is no board {name!r}", f"known boards: {known}")
    path = folder / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not valid TOML: {error}", "correct the file") from error
    return _profile(table, path.name)


def _profile(table: Mapping[str, Any], file: str) -> DeviceProfile:
    types = {**REQUIRED, **OPTIONAL}
    unknown = [key for key in table if key not in types]
    if unknown:
        raise InputError(f"{file}: unknown field {unknown[0]}", f"the fields are {', '.join(types)}")
    missing = [key for key in REQUIRED if key not in table]
    if missing:
        raise InputError(f"{file}: {missing[0]} is missing", "add it")
    for key, value in table.items():
        _check(file, key, value, types[key])
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return DeviceProfile(**{"usable_cpus": table["cores"], **values})


def _check(file: str, key: str, value: object, kind: type) -> None:
    # bool is a subclass of int in Python, but `cores = true` is a mistake
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{file}: {key} is {value!r}", f"give {TYPE_NAMES[kind]}")
    if isinstance(value, int) and value < (0 if key == "memory_mib" else 1):
        raise InputError(f"{file}: {key} is {value}", "give a positive number")
    wrong = [entry for entry in value if entry not in CHOICES[key]] if isinstance(value, list) else []
    if wrong:
        raise InputError(f"{file}: unknown entry {wrong[0]!r} in {key}", f"known are {', '.join(CHOICES[key])}")
