"""The cameras that a command line and a file of cameras ask for, each with its options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edgecnn.cli.cameras_file import NAME, CamerasFile, CameraWords
from edgecnn.errors import InputError

_NAMED = re.compile(rf"({NAME.pattern})=(.+)", re.DOTALL)
_SCHEME = re.compile(r"[a-z][a-z0-9+]*:")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One camera: its name, its model file, and the values of `edgecnn run`'s options for it. Equal ones are the same camera."""

    name: str
    file: Path
    source: str
    values: Mapping[str, Any]


def from_sources(sources: Sequence[str], file: Path, values: Mapping[str, Any]) -> list[Wanted]:
    """A camera for each ``--source``, named by NAME=ADDRESS or after what it is; all have the same options."""
    named = [split_name(source) for source in sources]
    names = unique([name or name_of(source) for name, source in named])
    return [Wanted(name, file, source, values) for name, (_, source) in zip(names, named, strict=True)]


def from_file(cameras: CamerasFile, command: click.Command, file: Path | None, given: Mapping[str, Any]) -> list[Wanted]:
    """The cameras of the file, read anew; ``given`` are options of the command line, which hold where the file does not say.

    Raises ``InputError``, which names the camera, for what `edgecnn run` itself would refuse.
    """
    return [_parsed(words, command, cameras.path, given) for words in cameras.read(str(file or ""))]


def _parsed(camera: CameraWords, command: click.Command, path: Path, given: Mapping[str, Any]) -> Wanted:
    try:
        context = command.make_context("run", [camera.model, *camera.words])
    except click.ClickException as error:
        found = error.format_message().rstrip(".")
        raise InputError(
            f"options that `edgecnn run` takes for camera {camera.name!r} of {path}", found, "correct them"
        ) from error
    values = dict(context.params)
    for name, value in given.items():
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            values[name] = value
    file, (source,) = values.pop("file"), values.pop("source")
    return Wanted(camera.name, file, source, values)


def split_name(text: str) -> tuple[str, str]:
    """(name, source) of NAME=SOURCE, ("", source) of a source alone; a file that is there as written is that file."""
    match = _NAMED.fullmatch(text)
    return ("", text) if match is None or Path(text).exists() else (match[1], match[2])


def name_of(source: str) -> str:
    """A name for a source that was given none: of the file, of the host, of the camera."""
    from edgecnn.runtime.sources.redact import redact_address

    number = source.partition("?")[0]
    if number.isdecimal():
        return f"camera-{number}"
    if _SCHEME.match(source):
        scheme, _, rest = redact_address(source).partition(":")
        text = rest.removeprefix("//").partition("/")[0].rpartition("@")[2] if rest.startswith("//") else scheme
    else:
        text = Path(source).stem or "stdin"
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")
    return cleaned[:40] or "camera"


def unique(names: Sequence[str]) -> list[str]:
    """The names, numbered from the second of the same on."""
    found: list[str] = []
    for name in names:
        count = sum(other == name for other in names[: len(found)])
        candidate = name if not count else f"{name}-{count + 1}"
        while candidate in found:
            count += 1
            candidate = f"{name}-{count + 1}"
        found.append(candidate)
    return found
