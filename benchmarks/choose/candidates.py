"""The candidates of a choice: model files, the engines and precisions that each can run in, and numbers of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecnn import shipped
from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.card import Precision
from edgecnn.devices.profile import DeviceProfile
from edgecnn.engine_device import Device
from edgecnn.errors import InputError
from edgecnn.runtime.backends import SUFFIXES, file_format
from edgecnn.runtime.backends.engines import COMPUTES_IN, OPENED_BY, installed_engines, parse_engine

# From the most to the least exact; a choice between equally fast candidates goes to the first.
EXACTNESS: Final = ("fp32", "fp16", "bf16", "int8")
# Instruction sets that compute in a precision without converting each value.
NATIVE: Final = {"bf16": {"avx512-bf16", "amx-bf16", "bf16"}, "fp16": {"avx512-fp16", "fp16"}}

HALF: Final = "fp16, which this processor computes in fp32; with --max-size or --max-memory it is exported, too"


@dataclass(frozen=True, slots=True)
class EngineVariant:
    """A model file in one engine, which decides what it computes; ``engine`` is as in ``open_backend``."""

    path: Path
    engine: str

    @property
    def computes_in(self) -> str:
        """The precision that the engine is asked for, "" for that of the file."""
        return parse_engine(self.engine).precision


@dataclass(frozen=True, slots=True)
class RunCandidate:
    """A variant with a number of threads."""

    variant: EngineVariant
    threads: int


def model_paths(given: Sequence[Path]) -> tuple[Path, ...]:
    """The model files that are named: of a folder its model files, of a shipped model its checkpoint, too.

    Raises ``InputError`` for what is no model file, and a folder without any.
    """
    found: list[Path] = []
    for place in given:
        if place.is_dir():
            inside = sorted(
                path for path in place.iterdir() if path.suffix.lower() in SUFFIXES and path.suffix != shipped.CHECKPOINT
            )
            if not inside:
                raise InputError(f"the folder {place} holds no model file", "name the folder that edgecnn export wrote to")
            found += inside
        else:
            found += [place, *_shipped_beside(place)]
    for path in found:
        file_format(path)
    return tuple(dict.fromkeys(path.resolve() for path in found))


def _shipped_beside(path: Path) -> list[Path]:
    beside = path.with_suffix(shipped.CHECKPOINT)
    return [beside] if path.parent == shipped.FOLDER and path.suffix == shipped.ARTIFACT and beside.is_file() else []


def variants_of(path: Path, engine: str | None = None) -> tuple[EngineVariant, ...]:
    """The file in each installed engine that opens it; only in ``engine`` where one is named. Empty where none is installed."""
    names = installed_engines(file_format(path))
    if engine is not None:
        return (EngineVariant(path, engine),) if parse_engine(engine).name in OPENED_BY[file_format(path)] else ()
    return tuple(EngineVariant(path, name) for name in names)


def further_precisions(variant: EngineVariant, precision: str, device: DeviceProfile) -> Iterator[EngineVariant]:
    """The same file in the other precisions that its engine can compute in and that the processor has; ``precision`` is the file's.

    A file in half precision is not computed in bfloat16: its fp32 file then is as fast and more exact.
    """
    if variant.computes_in or precision not in ("fp32", "int8"):
        return
    for other in COMPUTES_IN.get(variant.engine, ()):
        if NATIVE.get(other, set()) & set(device.features):
            yield EngineVariant(variant.path, f"{variant.engine}:{other}")


def worth_exporting(device: DeviceProfile, on: Device, budget: Budget) -> tuple[tuple[Precision, ...], tuple[str, ...]]:
    """Precisions of files without ranges that can win on a device, and a line for one that can't."""
    smaller = budget.max_size_bytes is not None or budget.max_memory_bytes is not None
    if smaller or not on.is_cpu or NATIVE["fp16"] & set(device.features):
        return ("fp32", "fp16"), ()
    return ("fp32",), (HALF,)


def thread_counts(cpus: int) -> tuple[int, ...]:
    """Numbers of threads to try: all processors, half of them (two may share the units of one core), and one."""
    return tuple(dict.fromkeys((cpus, max(cpus // 2, 1), 1)))


def exactness(precision: str, computes_in: str) -> int:
    """The place in EXACTNESS of a file of ``precision`` that is computed in another one; the less exact of both counts."""
    places = [EXACTNESS.index(each) for each in (precision, computes_in) if each in EXACTNESS]
    return max(places, default=len(EXACTNESS))
