"""Defines fields of configuration classes: parser, option name, and copies with other values.

``option`` and ``group`` create dataclass fields; classes with such fields are derived from ``Checked``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from edgecnn.errors import InputError
from edgecnn.live.parsers import Parser

T = TypeVar("T")

UNITS = ("_s", "_bytes")


@dataclass(frozen=True, slots=True)
class ConfigOption:
    """A field as a command-line option and TOML key: ``name`` without dashes in front, and the parser of its value."""

    field: str
    name: str
    parse: Parser
    default: Any = None


class Checked:
    """Parses every field of the dataclass; raises ``InputError`` that names the field."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):  # type: ignore[arg-type]
            value, parse = getattr(self, one.name), one.metadata.get("parse")
            # None is an option that is not set, if it is the default.
            if parse is None or (value is None and one.default is None):
                continue
            try:
                # the class is frozen; here its values become typed, before anybody else sees them
                object.__setattr__(self, one.name, parse(value))
            except InputError as error:
                raise InputError(f"{type(self).__name__}.{one.name}: {error.problem}", error.fix) from error


def option(default: Any, parse: Parser, name: str = "") -> Any:
    """Create a field that ``parse`` reads; ``name`` is the name of the option if it differs from that of the field."""
    return field(default=default, metadata={"parse": parse, "name": name})


def group(make: Callable[[], Any], parsers: Mapping[str, Parser] | None = None) -> Any:
    """Create a field with a nested configuration; ``parsers`` read the fields of a class that has no parsers."""
    return field(default_factory=make, metadata={"group": make, "parsers": parsers})


def option_name(name: str) -> str:
    """Return the option name and TOML key of a field: without its unit, with dashes."""
    for unit in UNITS:
        name = name.removesuffix(unit)
    return name.replace("_", "-")


def options_of(config: Any) -> Iterator[ConfigOption]:
    """Iterate over the options of a configuration class and its nested groups, in order."""
    for one in dataclasses.fields(config):
        parsers = one.metadata.get("parsers")
        if parsers is not None:
            yield from (ConfigOption(name, option_name(name), parse) for name, parse in parsers.items())
        elif "group" in one.metadata:
            yield from options_of(one.metadata["group"])
        elif "parse" in one.metadata:
            yield ConfigOption(one.name, one.metadata["name"] or option_name(one.name), one.metadata["parse"], one.default)


def updated(config: T, values: Mapping[str, object]) -> T:
    """Copy a configuration with new values by field name, also in nested groups; unknown names are ignored."""
    groups = {one.name: getattr(config, one.name) for one in dataclasses.fields(config) if "group" in one.metadata}  # type: ignore[arg-type]
    return dataclasses.replace(config, **_changes(config, values, groups))  # type: ignore[type-var]


def filled(config: type[T], values: Mapping[str, object], **fixed: Any) -> T:
    """Create a configuration from ``values`` (see ``updated``) and ``fixed`` values; other fields get their defaults."""
    groups = {one.name: one.metadata["group"]() for one in dataclasses.fields(config) if "group" in one.metadata}  # type: ignore[arg-type]
    return config(**{**_changes(config, values, groups), **fixed})


def _changes(config: Any, values: Mapping[str, object], groups: Mapping[str, Any]) -> dict[str, Any]:
    plain = {one.name: values[one.name] for one in dataclasses.fields(config) if one.name in values and one.name not in groups}
    return {**plain, **{name: updated(group, values) for name, group in groups.items()}}
