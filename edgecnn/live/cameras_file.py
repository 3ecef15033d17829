"""Reads a TOML file of cameras with their models, zones and outputs; its keys are the options of `edgecnn run`.

For example::

    model = "person-face-vehicle"              # a key up here holds for all cameras
    track = true

    [[camera]]
    name = "door"
    source = "rtsp://viewer:${DOOR_PASSWORD}@10.0.0.7/stream"   # ${...} is taken from the environment
    only = ["person"]
    line = { entry = [0.1, 0.5, 0.9, 0.5] }

    [[camera]]
    name = "yard"
    source = 0
    model = "yard.onnx"
    max-fps = 10
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.files import stamp
from edgecnn.live.camera_names import NAME
from edgecnn.live.config import CameraConfig
from edgecnn.live.config_fields import options_of, updated
from edgecnn.text_files import decode_text

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class CamerasFile:
    """Reads the cameras of a TOML file; ``defaults`` contains the values of missing keys."""

    def __init__(self, path: Path, defaults: CameraConfig) -> None:
        self.path, self._defaults = path, defaults
        self._options = {option.name: option for option in options_of(CameraConfig)}
        self._stamp: tuple[int, ...] = ()

    def changed(self) -> bool:
        """Return whether the file changed since it was read; a missing file, which may be being replaced, counts as unchanged."""
        # an editor replaces the file (new inode), a shell redirection writes into it (new size or time)
        return stamp(self.path) not in ((), self._stamp)

    def read(self) -> tuple[CameraConfig, ...]:
        """Read the cameras in the order of the file.

        Raises ``InputError`` with the file and the camera for invalid TOML, unknown keys, wrong values, repeated names, and
        variables that are not in the environment.
        """
        # Before reading: a change during the read then differs from the stamp and is read at the next check.
        self._stamp = stamp(self.path)
        table = self._table()
        tables = table.pop("camera", [])
        if "name" in table:
            raise InputError(
                f"{self.path}: name stands above the tables and would name every camera", "move it into a [[camera]]"
            )
        if not isinstance(tables, list) or not tables or not all(isinstance(item, dict) for item in tables):
            raise InputError(f"{self.path} has no tables [[camera]]", "write one for each camera")
        # Both spellings of a key are one: a camera's max_fps replaces a max-fps above the tables.
        above = _with_dashes(table, str(self.path))
        cameras = tuple(
            self._camera({**above, **_with_dashes(item, f"camera {number} of {self.path}")}, number)
            for number, item in enumerate(tables, 1)
        )
        names = [camera.name for camera in cameras]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"{self.path} names two cameras {twice}", "rename one")
        return cameras

    def _table(self) -> dict[str, Any]:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            return tomllib.loads(decode_text(self.path.read_bytes()))
        except OSError as error:
            raise InputError(
                f"--cameras: {self.path} can't be read ({(error.strerror or str(error)).lower()})", "check the path"
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path} is not UTF-8 text", "save it as UTF-8") from error
        except (tomllib.TOMLDecodeError, ValueError) as error:  # ValueError: a number of thousands of digits
            raise InputError(f"{self.path} is not TOML: {error}", "correct it") from error
        except RecursionError as error:
            raise InputError(f"{self.path} is nested too deeply", "correct it") from error

    def _camera(self, table: dict[str, Any], number: int) -> CameraConfig:
        name = table.pop("name", f"camera-{number}")
        place = f"camera {name!r} of {self.path}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InputError(f"{place}: the name may have letters, digits, - _ and . only", "rename it")
        values = dict(self._value(key, value, place) for key, value in table.items())
        self._check_key(values.get("require_signature"), place)
        try:
            # Each camera needs a source of its own, so that of the defaults is not used.
            camera = updated(self._defaults, {"source": "", **values, "name": name})
            camera.check()
        except InputError as error:
            raise InputError(f"{place}: {error.problem}", error.fix) from error
        return camera

    def _check_key(self, key: Path | None, place: str) -> None:
        """The file may require a signature where the command requires none, but not lift or change what the command requires."""
        required = self._defaults.require_signature
        if required is not None and key is not None and key.resolve() != required.resolve():
            raise InputError(
                f"{place}: require-signature names another key than --require-signature",
                "remove it from the file; the key of the command holds for all cameras",
            )

    def _value(self, key: str, value: Any, place: str) -> tuple[str, Any]:
        """Return the field of a key and its typed value."""
        option = self._options.get(key)
        if option is None:
            raise InputError(f"{place}: {key} is not a known key", f"use one of name, {', '.join(sorted(self._options))}")
        try:
            return option.field, option.parse(_expanded(value))
        except InputError as error:
            raise InputError(f"{place}: {key}: {error.problem}", error.fix) from error


def _with_dashes(table: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The table with dashes in its keys, which may also be written with underscores."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name in found:
            raise InputError(f"{place}: {name} is given twice, with a dash and with an underscore", "remove one of them")
        found[name] = value
    return found


def _expanded(value: Any) -> Any:
    """Replace ``${NAME}`` in a value from the environment, also in lists and tables."""
    if isinstance(value, str):
        return _VARIABLE.sub(_from_environment, value)
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    return {_expanded(key): _expanded(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _from_environment(match: re.Match[str]) -> str:
    if match[1] not in os.environ:
        raise InputError(f"the variable {match[1]} is not in the environment", "set it, or correct the name")
    return os.environ[match[1]]
