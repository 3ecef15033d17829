"""Parses pruning targets: MACs such as 4x, 25% or 10M; a latency such as 2ms, or the latency of a model file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import InputError

# Powers of 1000, as MACs are counted in papers.
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
ARTIFACTS = (".onnx", ".tflite", ".xml", ".pte")


def parse_macs(text: str, before: int) -> int:
    """MACs from ``4x`` (fewer than ``before``), ``25%`` (of ``before``), or a number with k, M or G.

    Raises ``InputError`` for anything else, and for a target that is not below ``before``.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(x|%|[kmg]?)", text.strip().lower())
    if found is None or not float(found[1]):
        raise InputError(f"--target-macs: {text!r} is not a number of MACs", "write it as 4x, 25% or 10M")
    number, unit = float(found[1]), found[2]
    target = before / number if unit == "x" else before * number / 100 if unit == "%" else number * UNITS[unit]
    if not 1 <= target < before:
        raise InputError(
            f"--target-macs: {text} are {target:,.0f} MACs, not fewer than the {before:,} of the network",
            "choose a smaller target",
        )
    return int(target)


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """Milliseconds of one image, or an ``artifact`` whose latency on this device is the target."""

    ms: float | None = None
    artifact: Path | None = None


def parse_latency(text: str) -> LatencyTarget:
    """``2ms``, ``0.5 ms``, or the path of an artifact.

    Raises ``InputError`` for a file that does not exist, and for the name of a device: only this one can be measured.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*ms", text.strip().lower())
    if found and float(found[1]):
        return LatencyTarget(ms=float(found[1]))
    path = Path(text)
    if path.suffix in ARTIFACTS and path.is_file():
        return LatencyTarget(artifact=path)
    if path.suffix in ARTIFACTS:
        raise InputError(f"--target-latency: {text} does not exist", "check the path, or give milliseconds such as 2ms")
    raise InputError(
        f"--target-latency: {text!r} is neither milliseconds nor a model file",
        "give 2ms or a file; measuring on another device is not supported yet",
    )
