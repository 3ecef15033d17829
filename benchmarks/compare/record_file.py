"""Reads records that `edgecnn benchmark --json` wrote into typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.measure.protocol import CLOCKS, Clock
from edgecnn.benchmarks.report.document import SCHEMA, VERSION
from edgecnn.errors import InputError
from edgecnn.schema import SchemaError, integer, items, mapping, nullable, number, parse_json, plain, record, text
from edgecnn.text_files import read_text
from edgecnn.types import nearest_rank

MOST = 10_000_000  # samples of a clock
POSITIVE = number(1e-9)
WORDS = items(text(), most=10_000)


def _anything(value: Any, _place: str) -> Any:
    return value


CLOCK = record(
    {"samples_ms": items(POSITIVE, least=1, most=MOST), "round_sizes": items(integer(0, MOST), most=MOST), "verdict": text()},
    {"reasons": WORDS},
    others=_anything,
)
ACCURACY = record(
    {"primary": number(), "n": integer(0, MOST), "values": mapping(nullable(number()), most=1000)},
    {"per_class": mapping(nullable(number()), most=100_000), "left_out": items(number(), most=1000), "images_digest": text()},
    others=_anything,
)
FILE = record(
    {
        "name": text(1),
        "format": text(),
        "precision": text(),
        "model": text(),
        "task": text(),
        "input_size": items(integer(0, MOST), most=8),
        "sha256": text(),
        "size_bytes": integer(1, 1 << 50),
        "peak_memory_mib": POSITIVE,
        "cold_start_totals_ms": items(POSITIVE, least=1, most=10_000),
        "clocks": mapping(CLOCK, least=1, most=len(CLOCKS)),
    },
    {"throughput_fps": nullable(mapping(number(0), most=len(CLOCKS))), "accuracy": nullable(ACCURACY)},
    others=_anything,
)
DISTURBANCE = record({"other_load_share": number(0), "steal_share": number(0)}, others=plain)
DOCUMENT = record(
    {
        "started": text(),
        "protocol": record({"name": text(), "camera_fps": POSITIVE}, others=plain),
        "device": record({"name": text(), "slug": text(), "cpu": text()}, others=plain),
        "environment": record({"packages": mapping(text(), most=1000), "commit": text()}, others=plain),
        "engine_device": text(),
        "threads": integer(1, 1 << 16),
        "inputs": text(),
        "data": text(),
        "disturbance": mapping(DISTURBANCE, most=len(CLOCKS)),
        "reference": text(),
        "files": items(FILE, least=1, most=10_000),
    },
    {"clocks": mapping(text(), most=len(CLOCKS))},
    others=_anything,
)


@dataclass(frozen=True, slots=True)
class MeasuredClock:
    """One clock of a file in a record: samples in milliseconds by round.

    ``reasons`` are those of a NOISY verdict, ``other_load`` is the share of the processors that other programs and the host took.
    """

    rounds: tuple[tuple[float, ...], ...]
    reasons: tuple[str, ...] = ()
    other_load: float = 0.0

    def percentile(self, percent: float) -> float:
        """Nearest rank over all samples, in milliseconds."""
        return nearest_rank([value for one in self.rounds for value in one], percent)


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """One file of a record; ``accuracy`` as in the JSON document, None where it was not measured."""

    name: str
    format: str
    precision: str
    model: str
    task: str
    input_size: tuple[int, ...]
    sha256: str
    size_bytes: int
    memory_mib: float
    cold_starts_ms: tuple[float, ...]
    clocks: Mapping[Clock, MeasuredClock]
    throughput_fps: Mapping[str, float] = field(default_factory=dict)
    accuracy: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One record: ``name`` is that of its file; ``document`` holds what is only shown: device, environment, protocol, notes."""

    name: str
    document: Mapping[str, Any]
    files: tuple[MeasuredFile, ...]

    @property
    def reference(self) -> MeasuredFile:
        """The file that the speedups of the record refer to."""
        return next((own for own in self.files if own.name == self.document["reference"]), self.files[0])


def read_record(path: Path) -> MeasuredRun:
    """Read a record; raises ``InputError`` for a file that is none, is of another version or is damaged."""
    try:
        document = parse_json(read_text(path))
    except SchemaError as error:
        raise InputError(f"{path} is not a record of edgecnn benchmark: {error}", "give a file that --json wrote") from None
    return measured_run(document, path.name)


def measured_run(document: Any, name: str) -> MeasuredRun:
    """The run of a JSON document that came from ``name``; raises as ``read_record``."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{name} is not a record of edgecnn benchmark", "give a file that edgecnn benchmark --json wrote")
    if document.get("version") != VERSION:
        raise InputError(
            f"{name} is a record of version {document.get('version')}, and version {VERSION} is read",
            "measure again with this version of edgecnn",
        )
    try:
        checked = DOCUMENT(document, "")
        return MeasuredRun(name, document, tuple(_file(own, checked["disturbance"]) for own in checked["files"]))
    except SchemaError as error:
        raise InputError(f"{name} is a damaged record: {error}", "measure again") from None


def _file(own: Mapping[str, Any], disturbance: Mapping[str, Mapping[str, Any]]) -> MeasuredFile:
    unknown = [clock for clock in own["clocks"] if clock not in CLOCKS]
    if unknown:
        raise SchemaError(f"{unknown[0]} is not a clock")
    names = ("name", "format", "precision", "model", "task", "input_size", "sha256", "size_bytes")
    return MeasuredFile(
        **{name: own[name] for name in names},
        memory_mib=own["peak_memory_mib"],
        cold_starts_ms=own["cold_start_totals_ms"],
        clocks={clock: _clock(found, disturbance.get(clock, {})) for clock, found in own["clocks"].items()},
        throughput_fps=own.get("throughput_fps") or {},
        accuracy=own.get("accuracy"),
    )


def _clock(own: Mapping[str, Any], disturbance: Mapping[str, Any]) -> MeasuredClock:
    sizes, samples = own["round_sizes"], own["samples_ms"]
    if sum(sizes) != len(samples):
        raise SchemaError(f"round_sizes add up to {sum(sizes)}, but there are {len(samples)} samples")
    ends = list(accumulate(sizes))
    rounds = tuple(samples[end - size : end] for size, end in zip(sizes, ends, strict=True) if size)
    others = disturbance.get("other_load_share", 0.0) + disturbance.get("steal_share", 0.0)
    return MeasuredClock(rounds, own.get("reasons", ()), others)
