"""Checks values that were read from JSON against a description of their types and limits, before anything is built from them.

A description is made of the functions below, for example ``record({"size": items(integer(1, 65535), least=2, most=2)})``. Calling it
with a value returns that value with tuples in place of lists, or raises ``SchemaError``, which names the wrong part as
``size[0] is -3, not a whole number from 1 to 65535``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

Check = Callable[[Any, str], Any]
"""Takes a value and the name of its place; returns the value, or raises ``SchemaError``."""

MAX_TEXT = 4096  # characters of a name
MAX_DEPTH = 32  # of nested records
_SHOWN = 60  # characters of a wrong value in the message


class SchemaError(ValueError):
    """A value that is not as described; the message names its place."""


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ``SchemaError`` for text that is not JSON, is nested too deeply or has an endless number."""
    try:
        return json.loads(text)
    except RecursionError:
        raise SchemaError("it is nested too deeply") from None
    except ValueError as error:
        raise SchemaError(f"it is not JSON: {error}") from error


def text(least: int = 0, most: int = MAX_TEXT) -> Check:
    """A text of ``least`` to ``most`` characters that can be written as UTF-8."""

    def check(value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise _wrong(value, place, "a text")
        if not least <= len(value) <= most:
            raise SchemaError(f"{place} has {len(value)} characters, not {least} to {most}")
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise SchemaError(f"{place} has half a character (a lone surrogate)")
        return value

    return check


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: Any, place: str) -> str:
        if not isinstance(value, str) or value not in words:
            raise _wrong(value, place, f"one of {', '.join(word or '(nothing)' for word in words)}")
        return value

    return check


def integer(least: int, most: int) -> Check:
    """A whole number from ``least`` to ``most``."""

    def check(value: Any, place: str) -> int:
        # a bool is an int in Python
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _wrong(value, place, f"a whole number from {least} to {most}")
        return value

    return check


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """A finite number from ``least`` to ``most``, as the int or float that it is; float32 holds it."""
    limits = "" if (least, most) == (-math.inf, math.inf) else f" from {least:g} to {most:g}"

    def check(value: Any, place: str) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # abs first: a whole number may be too large to become a float
        if not is_number or not abs(value) <= 3.4e38 or not least <= value <= most:
            raise _wrong(value, place, f"a finite number{limits}")
        return value

    return check


def items(item: Check, *, least: int = 0, most: int) -> Check:
    """A list of ``least`` to ``most`` items; returns a tuple."""
    counts = str(most) if least == most else f"{least} to {most}"

    def check(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _wrong(value, place, "a list")
        if not least <= len(value) <= most:
            raise SchemaError(f"{place} has {len(value)} items, not {counts}")
        return tuple(item(each, f"{place}[{index}]") for index, each in enumerate(value))

    return check


def flag(value: Any, place: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(value, place, "true or false")
    return value


def nothing_or(other: Check) -> Check:
    """An object without entries, or what ``other`` describes."""
    return lambda value, place: value if value == {} else other(value, place)


def nullable(other: Check) -> Check:
    """What ``other`` describes, or null."""
    return lambda value, place: None if value is None else other(value, place)


def either(single: Check, several: Check) -> Check:
    """A list that ``several`` describes, or anything else that ``single`` describes."""
    return lambda value, place: several(value, place) if isinstance(value, list | tuple) else single(value, place)


def unchanged(other: Check) -> Check:
    """What ``other`` describes, returned as it is in the JSON: lists stay lists."""

    def check(value: Any, place: str) -> Any:
        other(value, place)
        return value

    return check


def record(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *, others: Check | None = None) -> Check:
    """An object with the keys ``needed``, perhaps those of ``optional``, and no other ones, unless ``others`` describes them."""
    known = {**needed, **(optional or {})}

    def check(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, place, "an object")
        missing = [key for key in needed if key not in value]
        unknown = [key for key in value if key not in known]
        if missing:
            similar = get_close_matches(missing[0], map(str, unknown), 1)
            typo = f": {_at(place, similar[0])} is not a known field, correct its name" if similar else ""
            raise SchemaError(f"{_at(place, missing[0])} is missing{typo}")
        if unknown and others is None:
            raise SchemaError(f"{_at(place, unknown[0])} is not a known field")
        return {key: known.get(key, others)(each, _at(place, key)) for key, each in value.items()}  # type: ignore[misc]

    return check


def mapping(item: Check, *, least: int = 0, most: int) -> Check:
    """An object with ``least`` to ``most`` keys of any name, whose values are as ``item`` describes."""

    def check(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, place, "an object")
        if not least <= len(value) <= most:
            raise SchemaError(f"{place} has {len(value)} entries, not {least} to {most}")
        return {_key(key, place): item(each, _at(place, key)) for key, each in value.items()}

    return check


def plain(value: Any, place: str, depth: int = MAX_DEPTH) -> Any:
    """Any JSON value, unchanged, with up to ``depth`` levels; a note of what was done, which nothing is allocated from."""
    if not depth:
        raise SchemaError(f"{place} is nested too deeply")
    if isinstance(value, dict):
        for key, each in value.items():
            plain(each, _at(place, _key(key, place)), depth - 1)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            plain(each, f"{place}[{index}]", depth - 1)
    elif isinstance(value, str):
        text(most=1 << 20)(value, place)
    return value


def _key(key: str, place: str) -> str:
    checked: str = text()(key, f"a key of {place}")
    return checked


def _at(place: str, key: str) -> str:
    shown = key if len(key) <= _SHOWN and key.isprintable() else repr(key[:_SHOWN])
    return f"{place}.{shown}" if place else shown


def _wrong(value: Any, place: str, expected: str) -> SchemaError:
    shown = {dict: "an object", list: "a list", tuple: "a list", type(None): "null", bool: str(value).lower()}.get(type(value))
    if shown is None:
        # a whole number of thousands of digits has no text, and would not help
        shown = "a huge number" if isinstance(value, int) and value.bit_length() > 200 else repr(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return SchemaError(f"{place or 'it'} is {shown}, not {expected}")
