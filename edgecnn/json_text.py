"""JSON text for files, logs and messages; every JSON document of the project is written here.

JSON has neither NaN nor infinity (RFC 8259, section 6), which Python writes all the same: they become null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any


def dump_json(
    value: Any,
    *,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    default: Callable[[Any], Any] | None = None,
    ensure_ascii: bool = True,
) -> str:
    """``value`` as JSON text, with null for numbers that are not finite; the options are those of ``json.dumps``.

    Raises ``TypeError`` for other objects where there is no ``default``.
    """
    options: dict[str, Any] = {
        "indent": indent,
        "separators": separators,
        "default": default,
        "ensure_ascii": ensure_ascii,
        "allow_nan": False,
    }
    try:
        return json.dumps(value, **options)
    except ValueError:  # rare: only then are the values copied
        return json.dumps(finite(value), **options)


def finite(value: Any) -> Any:
    """A copy of lists and mappings, at any depth, with None for each float that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value
