"""Parses configuration values from Python, from a command line (text) and from TOML (numbers, lists, tables).

A parser returns a typed value and accepts values that it returned before. It raises ``InputError`` with the value in its message;
the caller adds the name of the field, option or key.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from edgecnn.engine_device import Device, parse_device
from edgecnn.errors import InputError
from edgecnn.runtime.event_kinds import EVENT_KINDS

_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_MOST_SECONDS = 1e9  # no clock or lock takes much more
_LEAST_LEARNING_S = 60.0  # less of a camera says nothing about what is usual
# Decimal units, as disks and cameras give sizes.
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


class Parser(ABC):
    """Parses a value; ``metavar`` is its placeholder in --help."""

    metavar = "TEXT"

    def __call__(self, value: Any) -> Any:
        """Parse a value. Raises ``InputError``."""
        return self._parse(value)

    @abstractmethod
    def _parse(self, value: Any) -> Any: ...

    def text(self, value: Any) -> str:
        """Format a typed value for a command line."""
        return str(value)


class Text(Parser):
    """Parses text, also from a number; with ``several`` also from a list, whose items are joined by commas."""

    def __init__(self, metavar: str = "TEXT", *, several: bool = False) -> None:
        self.metavar, self._several = metavar, several

    def _parse(self, value: Any) -> str:
        if isinstance(value, list | tuple) and not self._several:
            raise InputError(f"{value!r} is a list, not one text", "write one text in quotes, without brackets")
        if any(
            isinstance(item, bool | Mapping) or item is None for item in (value if isinstance(value, list | tuple) else [value])
        ):
            raise InputError(f"{value!r} is not a text", "put it in quotes")
        if "\0" in (text := joined(value)):
            raise InputError(f"{value!r} contains a zero byte", "remove it")
        return text


class File(Text):
    """Parses a path."""

    def _parse(self, value: Any) -> Path:  # type: ignore[override]
        return Path(super()._parse(value))


class OneOf(Parser):
    """Parses one of a set of words."""

    def __init__(self, *words: str) -> None:
        self.words, self.metavar = words, f"[{'|'.join(words)}]"

    def _parse(self, value: Any) -> str:
        if value not in self.words:
            raise InputError(f"{value!r} is not one of {', '.join(self.words)}", "choose one of them")
        return str(value)


class EngineName(Text):
    """Parses the name of an engine, with the precision that it computes in: openvino, openvino:bf16."""

    def __init__(self) -> None:
        super().__init__("ENGINE[:PRECISION]")

    def _parse(self, value: Any) -> str:
        from edgecnn.runtime.backends.engines import parse_engine  # imports NumPy

        return str(parse_engine(super()._parse(value)))


class EngineDevice(Parser):
    """Parses the device that an engine computes on."""

    metavar = "DEVICE"

    def _parse(self, value: Any) -> Device:
        return parse_device(value)


class Flag(Parser):
    """Parses true or false."""

    def _parse(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InputError(f"{value!r} is neither true nor false", "write true or false")
        return value


class DriftReference(Parser):
    """Parses what a camera is compared with, as the seconds to learn it: "card" is 0, learn:10m is 600."""

    metavar = "[card|learn:TIME]"

    def _parse(self, value: Any) -> float:
        if value in ("card", True) or (isinstance(value, float) and not value):
            return 0.0
        if isinstance(value, float):
            return float(Seconds(least=_LEAST_LEARNING_S)(value))
        kind, _, time = str(value).partition(":")
        if kind != "learn" or not time:
            raise InputError(f"{value!r} is neither card nor learn:TIME", "write card, or a time to learn in such as learn:10m")
        return float(Seconds(least=_LEAST_LEARNING_S)(time))

    def text(self, value: Any) -> str:
        """Format as on the command line."""
        return f"learn:{value:g}s" if value else "card"


class Number(Parser):
    """Parses a number of at least ``least``, greater than ``above`` and at most ``most``."""

    metavar = "NUMBER"

    def __init__(self, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf) -> None:
        self.least, self.above, self.most = least, above, most

    def _parse(self, value: Any) -> float:
        number = self.number(value)
        if self.least <= number <= self.most and number > self.above:
            return number
        low = f"above {self.above:g}" if self.above > -math.inf else f"of {self.least:g} or more"
        raise InputError(
            f"{value} is out of range",
            f"choose a value {low if self.most == math.inf else f'from {self.least:g} to {self.most:g}'}",
        )

    def number(self, value: Any) -> float:
        """Parse the number without a check of its range."""
        try:
            # float(True) would be 1.0.
            if isinstance(value, bool):
                raise TypeError
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{value!r} is not a number", "write a number") from None

    def text(self, value: Any) -> str:
        """Format without trailing zeros."""
        return f"{value:g}"


class Integer(Number):
    """Parses an integer."""

    metavar = "N"

    def number(self, value: Any) -> int:
        """Parse the integer without a check of its range."""
        number = super().number(value)
        if not number.is_integer():
            raise InputError(f"{value!r} is not a whole number", "write a whole number")
        return int(number)


class Seconds(Number):
    """Parses a time in seconds, from a number or from text with a unit: 500ms, 10s, 10m, 1h; ``inf`` is no limit."""

    metavar = "TIME"

    def number(self, value: Any) -> float:
        """Parse the seconds without a check of their range."""
        text = str(value).strip()
        if text == "inf":
            return math.inf
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(ms|s|m|h)?", text)
        if found is None:
            raise InputError(f"{value!r} is not a time", "write one such as 100ms, 30s, 10m or 1h")
        seconds = float(found[1]) * _SECONDS[found[2] or ""]
        if seconds > _MOST_SECONDS:
            raise InputError(f"{text[:40]} is longer than 30 years", "write inf for no limit")
        return seconds

    def text(self, value: Any) -> str:
        """Format with the unit."""
        return f"{value:g}s" if value < math.inf else "inf"


class Bytes(Number):
    """Parses a size in bytes, from a number or from text with a decimal unit: 500k, 100MB, 2GB."""

    metavar = "SIZE"

    def __init__(self) -> None:
        super().__init__(above=0)

    def number(self, value: Any) -> int:
        """Parse the bytes without a check of their range."""
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([kmg]?)b?", str(value).strip().lower())
        if found is None:
            raise InputError(f"{value!r} is not a size", "write one such as 100MB or 2GB")
        size = float(found[1]) * _BYTES[found[2]]
        if size > 2**62:
            raise InputError(f"{str(value)[:40]} is larger than any disk", "write a smaller size")
        return int(size)

    def text(self, value: Any) -> str:
        """Format with the largest unit that gives an integer."""
        unit = next((unit for unit in ("g", "m", "k") if not value % _BYTES[unit]), "")
        return f"{value // _BYTES[unit]}{unit.upper()}B"


class Names(Parser):
    """Parses names separated by commas, or a list of names; each must match ``pattern``."""

    def __init__(self, metavar: str, example: str, pattern: str = r".+") -> None:
        self.metavar, self._example, self._pattern = metavar, example, re.compile(pattern)

    def _parse(self, value: Any) -> tuple[str, ...]:
        names = tuple(name.strip() for name in joined(value).split(",") if name.strip())
        if not names or not all(self._pattern.fullmatch(name) for name in names):
            raise InputError(f"{value!r} is not a list of names", f"write them with commas between, such as {self._example}")
        return names


class EventKinds(Names):
    """Parses kinds of events."""

    def __init__(self) -> None:
        super().__init__("EVENTS", "line-crossed,zone-entered")

    def _parse(self, value: Any) -> tuple[str, ...]:
        kinds = super()._parse(value)
        unknown = [kind for kind in kinds if kind not in EVENT_KINDS]
        if unknown:
            raise InputError(f"there is no event {unknown[0]!r}", f"choose from {', '.join(EVENT_KINDS)}")
        return kinds


class Numbers(Parser):
    """Parses one number, or several separated by commas."""

    metavar = "N[,N,N]"

    def _parse(self, value: Any) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in joined(value).split(","))
        except (ValueError, OverflowError):
            raise InputError(f"{value!r} is not a number, nor several with commas between", "write one number or three") from None


class ClassScores(Parser):
    """Parses scores 0..1 of classes as pairs of name and score: from NAME=SCORE with commas between, or a table."""

    metavar = "CLASS=SCORE,..."

    def _parse(self, value: Any) -> tuple[tuple[str, float], ...]:
        if isinstance(value, tuple | list) and all(isinstance(item, tuple | list) and len(item) == 2 for item in value):
            pairs = [tuple(item) for item in value]  # as it was returned before
        elif isinstance(value, Mapping):
            pairs = list(value.items())
        else:
            pairs = [
                tuple(part.strip() for part in item.rpartition("=")[::2]) for item in joined(value).split(",") if item.strip()
            ]
        if (not pairs and value != ()) or not all(isinstance(name, str) and name for name, _ in pairs):
            raise InputError(f"{value!r} gives no class a score", "write them such as person=0.4,face=0.25")
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"{twice} is given twice", "leave one of them out")
        score = Number(least=0, most=1)
        return tuple((name, score(each)) for name, each in pairs)

    def text(self, value: Any) -> str:
        """Format as on the command line."""
        return ",".join(f"{name}={score:g}" for name, score in value)


class ImageSize(Parser):
    """Parses (height, width) from HEIGHTxWIDTH or one number for both."""

    metavar = "HxW"

    def _parse(self, value: Any) -> tuple[int, int]:
        # TOML gives a list [height, width], which becomes the same text as on the command line.
        parts = joined(value, "x").lower().split("x")
        if len(parts) > 2 or not all(part.isdigit() and int(part) for part in parts):
            raise InputError(f"{value!r} is not a size", "write height x width such as 240x320, or one number")
        return int(parts[0]), int(parts[-1])


class Parsed(Parser):
    """Parses text with a function of another module that returns a dataclass; an instance is returned unchanged.

    ``load`` imports that function when it is needed, because its module imports NumPy.
    """

    def __init__(self, metavar: str, load: Callable[[], Callable[[str], Any]]) -> None:
        self.metavar, self._load = metavar, load

    def _parse(self, value: Any) -> Any:
        return value if is_dataclass(value) else self._load()(joined(value))


class Many(Parser):
    """Parses a tuple of values with ``item``: from a list, a single value, or a table NAME = [numbers] for NAME:numbers."""

    def __init__(self, item: Parser) -> None:
        self.item, self.metavar = item, item.metavar

    def _parse(self, value: Any) -> tuple[Any, ...]:
        # TOML writes named lines and zones as a table, the command line as NAME:numbers.
        if isinstance(value, Mapping):
            value = [f"{name}:{joined(numbers)}" for name, numbers in value.items()]
        return tuple(self.item(item) for item in (value if isinstance(value, list | tuple) else [value]))


def joined(value: Any, by: str = ",") -> str:
    """Return text unchanged, and the items of a list joined by ``by``."""
    return by.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
