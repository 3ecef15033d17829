"""A TOML file that names cameras, each with its own model, zones and outputs; its keys are the options of `edgecnn run`.

For example::

    model = "person-face-vehicle"              # what stands here holds for all cameras
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgecnn.errors import InputError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")


@dataclass(frozen=True, slots=True)
class CameraWords:
    """A camera's name and what to give `edgecnn run` for it: the words of its options, and the model file."""

    name: str
    model: str
    words: tuple[str, ...]


class CamerasFile:
    """The cameras that a TOML file names; ``changed()`` says whether it was written since it was last read."""

    def __init__(self, path: Path, command: click.Command, scope: frozenset[str]) -> None:
        self.path, self._options = path, {name: option for name, option in _long_names(command) if option.name in scope}
        self._stamp: tuple[int, ...] = ()

    def changed(self) -> bool:
        """Whether it is another file than the one that was read; a file that is being replaced counts as unchanged."""
        return self._now() not in ((), self._stamp)

    def read(self, model: str = "") -> list[CameraWords]:
        """The cameras in the order of the file; ``model`` is for those that name none.

        Raises ``InputError`` that names the file and the camera for what is not TOML, unknown keys, wrong values, names that are
        missing or there twice, and a variable that the environment lacks.
        """
        self._stamp = self._now()
        table = self._table()
        cameras = table.pop("camera", [])
        if not isinstance(cameras, list) or not cameras or not all(isinstance(item, dict) for item in cameras):
            raise InputError(f"tables [[camera]] in {self.path}", "none", "write one for each camera")
        found = [self._camera({**table, **item}, number, model) for number, item in enumerate(cameras, 1)]
        names = [camera.name for camera in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"a name of its own for each camera in {self.path}", f"{twice} twice", "rename one")
        return found

    def _now(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _table(self) -> dict[str, Any]:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            return tomllib.loads(self.path.read_text())
        except OSError as error:
            raise InputError(
                f"a file of cameras at {self.path}", (error.strerror or str(error)).lower(), "check the path"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"TOML in {self.path}", str(error), "correct it") from error

    def _camera(self, table: dict[str, Any], number: int, model: str) -> CameraWords:
        name = table.pop("name", f"camera-{number}")
        place = f"camera {name!r} of {self.path}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InputError(f"a name of letters, digits, - _ and . for {place}", repr(name), "rename it")
        own = str(table.pop("model", model))
        if not own:
            raise InputError(f"a model for {place}", "none", 'write model = "FILE", or name one on the command line')
        if "source" not in table:
            raise InputError(f"a source for {place}", "none", 'write source = "rtsp://...", 0 or a path')
        words = [word for key, value in table.items() for word in self._words(key, value, place)]
        return CameraWords(name, _filled(own, place), tuple(_filled(word, place) for word in words))

    def _words(self, key: str, value: Any, place: str) -> Iterator[str]:
        option = self._options.get(f"--{key.replace('_', '-')}")
        if option is None:
            known = ", ".join(sorted(name[2:] for name in self._options if not name.startswith("--no-")))
            raise InputError(f"keys of {place} among name, model, {known}", key, "correct it")
        name = next(text for text in option.opts if text.startswith("--"))
        if option.is_flag:
            yield from self._flag(option, name, value, place)
        elif isinstance(value, Mapping):
            for label, numbers in value.items():
                yield from (name, f"{label}:{_joined(numbers)}")
        elif isinstance(value, list) and option.multiple:
            for item in value:
                yield from (name, str(item))
        else:
            yield from (name, _joined(value))

    def _flag(self, option: click.Option, name: str, value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, bool):
            raise InputError(f"true or false for {name[2:]} of {place}", repr(value), "correct it")
        if value:
            yield name
        elif option.secondary_opts:
            yield option.secondary_opts[0]


def _long_names(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    for option in command.params:
        if isinstance(option, click.Option):
            yield from ((name, option) for name in option.opts if name.startswith("--"))


def _joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _filled(word: str, place: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise InputError(f"the variable {match[1]} for {place}", "none in the environment", "set it, or correct the name")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, word)
