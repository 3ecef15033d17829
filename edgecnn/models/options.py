"""Parses model options from text, such as `width=0.5` or `widths=24,48,160`, by the type hints of the model's class."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from edgecnn.errors import InputError
from edgecnn.models.registry import defaults, model_class

DATA = "classes"  # known from the data, not an option of the user


def parse_options(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """The options ``texts`` ("key=value") of the model ``name``.

    Tuples are separated by commas or x, None is written none. Raises ``InputError`` that lists the options for one that the model
    does not have, or a value of another type.
    """
    if not texts:
        return {}
    hints = get_type_hints(model_class(name).__init__)
    return dict(_option(name, text, hints) for text in texts)


def listing(name: str) -> str:
    """The options of the model ``name`` with their defaults, in a line."""
    return ", ".join(f"{key}={_text(value)}" for key, value in defaults(name).items() if key != DATA)


def _option(name: str, text: str, hints: dict[str, Any]) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or key == DATA or key not in defaults(name):
        raise InputError(f"--model-option: {name} has no option {text!r}", f"use key=value, one of {listing(name)}")
    try:
        return key, _typed(value.strip(), hints[key])
    except ValueError as error:
        raise InputError(
            f"--model-option: {key} of {name} is {_kind(hints[key])}, not {value!r}", f"give it as in {listing(name)}"
        ) from error


def _typed(text: str, hint: Any) -> Any:
    """``text`` as a value of the type ``hint``; raises ``ValueError`` where it is not one."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        if text.lower() == "none" and NoneType in parts:
            return None
        return _typed(text, next(part for part in parts if part is not NoneType))
    if origin is tuple:
        # a size may be written as 96x96
        items = [_typed(item, parts[0]) for item in text.lower().replace("x", ",").split(",")]
        if parts[-1] is not Ellipsis and len(items) != len(parts):
            raise ValueError(f"{len(items)} values instead of {len(parts)}")
        return tuple(items)
    if origin is Literal:
        if text not in parts:
            raise ValueError(f"not one of {parts}")
        return text
    return hint(text)


def _kind(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return " or ".join("none" if part is NoneType else _kind(part) for part in parts)
    if origin is tuple:
        return f"{'' if parts[-1] is Ellipsis else f'{len(parts)} '}integers separated by commas"
    if origin is Literal:
        return "one of " + ", ".join(map(str, parts))
    return {int: "an integer", float: "a number"}[hint]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return "none" if value is None else str(value)
