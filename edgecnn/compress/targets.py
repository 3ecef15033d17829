"""How small or how quick a network is wanted, as a user writes it: 4x, 25%, 10M; 2ms, or a file to be as quick as."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import InputError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
ARTIFACTS = (".onnx", ".tflite", ".xml")


def parse_macs(text: str, before: int) -> int:
    """Multiply-accumulates: ``4x`` fewer than ``before``, ``25%`` of them, or a number with k, M or G.

    Raises ``InputError`` for anything else, and for a target that is not below ``before``.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(x|%|[kmg]?)", text.strip().lower())
    if found is None or not float(found[1]):
        raise InputError("a number of MACs such as 4x, 25% or 10M", repr(text), "write --target-macs so")
    number, unit = float(found[1]), found[2]
    target = before / number if unit == "x" else before * number / 100 if unit == "%" else number * UNITS[unit]
    if not 1 <= target < before:
        raise InputError(f"a target below the {before:,} MACs there are", f"{text}, {target:,.0f} MACs", "choose a smaller one")
    return int(target)


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """Milliseconds of one image, or an ``artifact`` of this device whose latency is to be reached."""

    ms: float | None = None
    artifact: Path | None = None


def parse_latency(text: str) -> LatencyTarget:
    """``2ms``, ``0.5 ms``, or the path of an artifact.

    Raises ``InputError`` for a file that is not there, and for a device: only this one can be measured.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*ms", text.strip().lower())
    if found and float(found[1]):
        return LatencyTarget(ms=float(found[1]))
    path = Path(text)
    if path.suffix in ARTIFACTS and path.is_file():
        return LatencyTarget(artifact=path)
    if path.suffix in ARTIFACTS:
        raise InputError(f"an artifact at {text}", "no such file", "check the path, or give milliseconds such as 2ms")
    raise InputError(
        "a latency such as 2ms, or an artifact to be as quick as",
        repr(text),
        "measuring on another device is not there yet: give milliseconds or a file, measured on this one",
    )
