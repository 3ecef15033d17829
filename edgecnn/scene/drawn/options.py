"""Parameters of the drawn images, parsed from addresses such as ``scene:stars?shortcut=1&count=400&seed=3``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from edgecnn.errors import InputError

RANGES: dict[str, tuple[float, float]] = {"seed": (0, 2**31), "count": (1, 2**31), "size": (32, 1024), "shortcut": (0, 1)}


@dataclass(frozen=True, slots=True)
class DrawnOptions:
    """The parameters of drawn images; the ranges are those of ``RANGES``.

    ``seed``: another one gives other images. ``size``: pixels of each side. ``shortcut``: the share of the images in which the shortcut
    goes with the class; in the others it is drawn at random, so 0 gives a clean set and 1 one that can be learnt by the shortcut alone.
    ``count``: the number of images; None for a set without end.
    """

    seed: int = 0
    size: int = 64
    shortcut: float = 0.0
    count: int | None = None


def parse_drawn(uri: str) -> DrawnOptions:
    """The options in ``scene:NAME?name=value&...``; raises ``InputError`` for an unknown parameter or a bad value."""
    name, _, query = uri.partition("?")
    return DrawnOptions(**dict(_value(name, key, text) for key, text in parse_qsl(query, keep_blank_values=True)))


def _value(name: str, key: str, text: str) -> tuple[str, Any]:
    if key not in RANGES:
        raise InputError(f"{name} has no parameter {key!r}", f"use one of {', '.join(RANGES)}")
    low, high = RANGES[key]
    kind = float if key == "shortcut" else int
    try:
        value = kind(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        whole = "a number" if kind is float else "a whole number"
        raise InputError(f"{key}={text} of {name} is not {whole} from {low:g} to {high:g}", "correct it")
    return key, value
