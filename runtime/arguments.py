"""Checks the arguments that Python code gives to the public functions: a wrong one is one error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from edgecnn.errors import InputError
from edgecnn.runtime.backends.engines import parse_engine
from edgecnn.schema import Check, SchemaError, integer, mapping, nullable, number, one_of

_MOST = 1 << 62
_CHECKS: Mapping[str, Check] = {
    "threads": nullable(integer(1, 4096)),
    "requests": integer(1, 4096),
    "score_threshold": nullable(number(0, 1)),
    "policy": nullable(one_of("latest", "all")),
    "max_frames": nullable(integer(1, _MOST)),
    "timeout": number(0.001, 1e6),
}
_CLASS_SCORES = mapping(number(0, 1), most=65536)


def check_arguments(**given: Any) -> None:
    """Raise ``InputError`` for an argument of a wrong type or out of range.

    ``model`` and ``source`` are paths or addresses, ``score_threshold`` is a number or a mapping from class names to numbers.
    """
    for name, value in given.items():
        if name in ("model", "source"):
            _check_place(name, value)
            continue
        if name == "engine":
            _check_engine(value)
            continue
        by_class = name == "score_threshold" and isinstance(value, Mapping)
        try:
            if by_class:
                _CLASS_SCORES(dict(value), name)
                continue
            # numbers of NumPy count as those of Python
            _CHECKS[name](value.item() if hasattr(value, "item") else value, name)
        except (SchemaError, ValueError) as error:
            raise InputError(f"the argument {error}", "correct it") from error


def _check_engine(value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise InputError(f"the argument engine is {type(value).__name__}, not a name", "correct it")
    if value is not None:
        parse_engine(value)


def _check_place(name: str, value: Any) -> None:
    number = name == "source" and isinstance(value, int) and not isinstance(value, bool)
    if not number and not isinstance(value, str | PathLike):
        raise InputError(f"the argument {name} is {type(value).__name__}, not a path or an address", "correct it")
    if "\0" in str(value):
        raise InputError(f"the argument {name} contains a zero byte", "correct it")
