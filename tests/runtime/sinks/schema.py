"""A small checker for the part of JSON Schema that edgecnn's own schemas use; an unknown keyword is an error."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "null": type(None),
    "boolean": bool,
}
_NOTES = {"$schema", "$defs", "title", "description"}


def check(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, where: str = "$") -> None:
    """Raise ``AssertionError`` where ``value`` does not follow ``schema``."""
    root = root or schema
    for key, rule in schema.items():
        if key == "$ref":
            check(value, root["$defs"][rule.rpartition("/")[2]], root, where)
        elif key == "oneOf":
            assert sum(_follows(value, one, root) for one in rule) == 1, f"{where}: not one of {rule}"
        elif key not in _NOTES and key not in ("properties", "items", "additionalProperties"):
            _check_one(value, key, rule, where)
    if isinstance(value, dict):
        _check_members(value, schema, root, where)
    if isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            check(entry, schema["items"], root, f"{where}[{index}]")


def _follows(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    try:
        check(value, schema, root)
    except AssertionError:
        return False
    return True


def _check_one(value: Any, key: str, rule: Any, where: str) -> None:
    if key == "type":
        kinds = [rule] if isinstance(rule, str) else rule
        assert any(isinstance(value, _TYPES[kind]) and (kind == "boolean") == isinstance(value, bool) for kind in kinds), where
    elif key == "const":
        assert value == rule, where
    elif key == "required":
        assert not set(rule) - set(value), f"{where}: lacks {set(rule) - set(value)}"
    elif key == "minimum":
        assert value >= rule, where
    elif key in ("minItems", "maxItems"):
        assert (len(value) >= rule) if key == "minItems" else (len(value) <= rule), where
    elif key == "pattern":
        assert re.search(rule, value), f"{where}: {value}"
    else:
        raise AssertionError(f"the keyword {key} is unknown to this checker")


def _check_members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], where: str) -> None:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, entry in value.items():
        if name in known:
            check(entry, known[name], root, f"{where}.{name}")
        elif isinstance(more, dict):
            check(entry, more, root, f"{where}.{name}")
        else:
            assert more, f"{where}: {name} is not in the schema"
