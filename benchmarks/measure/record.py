"""What a benchmark found, as values: one FileRecord for each file, one Record for all, with the machine it was found on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from edgecnn.benchmarks.measure.loop import WarmUp
from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.statistics import faster
from edgecnn.benchmarks.measure.verdict import Verdict
from edgecnn.card import ModelCard
from edgecnn.devices import DeviceProfile, Environment
from edgecnn.devices.counters import Disturbance
from edgecnn.metrics import Score
from edgecnn.types import Latency

Stages = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class ClockRecord:
    """One clock of one file: raw samples of every round in milliseconds, stage times of the same samples, the verdict.

    ``ledger`` says what became of the frames of the age clock, those before the first sample counted.
    """

    clock: Clock
    rounds: tuple[tuple[float, ...], ...]
    warm_up: WarmUp
    verdict: Verdict
    stages: Stages = field(default_factory=dict)
    ledger: Mapping[str, int] = field(default_factory=dict)

    @property
    def latency(self) -> Latency:
        """All samples in the order in which they were taken."""
        return Latency(tuple(chain.from_iterable(self.rounds)))


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Milliseconds from the start of a process to its first prediction, by stage; the stages follow on one another."""

    python_ms: float
    import_ms: float
    load_ms: float
    first_ms: float

    @property
    def total_ms(self) -> float:
        """Process start to first prediction."""
        return self.python_ms + self.import_ms + self.load_ms + self.first_ms


@dataclass(frozen=True, slots=True)
class Throughput:
    """Frames per second with ``concurrency`` threads calling at once, by clock (model: run only, task: frames to boxes)."""

    concurrency: int
    per_s: Mapping[Clock, float]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """All that was measured of one file; ``cold`` and ``peak_mib`` are one value for each fresh process."""

    path: Path
    name: str
    format: str
    card: ModelCard
    bytes: int
    cold: tuple[ColdStart, ...]
    peak_mib: tuple[float, ...]
    clocks: Mapping[Clock, ClockRecord]
    sha256: str = ""
    throughput: Throughput | None = None
    score: Score | None = None

    @property
    def precision(self) -> str:
        """fp32, fp16, int8; as the card says."""
        return self.card.precision

    @property
    def cold_start(self) -> ColdStart:
        """The median of the cold starts, by total time."""
        return sorted(self.cold, key=lambda cold: cold.total_ms)[(len(self.cold) - 1) // 2]

    @property
    def memory_mib(self) -> float:
        """The highest peak of the processes."""
        return max(self.peak_mib)

    @property
    def verdict(self) -> Verdict:
        """The reasons of all clocks, each once."""
        return Verdict(tuple(dict.fromkeys(reason for record in self.clocks.values() for reason in record.verdict.reasons)))


@dataclass(frozen=True, slots=True)
class Record:
    """One run of the benchmark. ``threads`` were given to every engine alike; ``inputs`` and ``data`` say what went in."""

    started: str
    protocol: Protocol
    device: DeviceProfile
    environment: Environment
    where: str
    threads: int
    inputs: str
    data: str
    disturbance: Mapping[Clock, Disturbance]
    files: tuple[FileRecord, ...] = ()

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that were measured."""
        return tuple(self.files[0].clocks)

    @property
    def reference(self) -> FileRecord:
        """The file that ratios refer to: the PyTorch checkpoint where one was measured, else the first file."""
        return next((record for record in self.files if record.format == "torch"), self.files[0])

    def ratio(self, record: FileRecord, clock: Clock) -> tuple[float, float, float]:
        """How many times less ``record`` takes than the reference: ratio of the p50, then p10 and p90 of the ratio over the rounds."""
        return faster(self.reference.clocks[clock].rounds, record.clocks[clock].rounds)

    def notes(self) -> list[str]:
        """What a reader must know beside the numbers: files of other weights than the checkpoint's, what the accuracy leaves out."""
        base = self.reference
        strangers = [own.name for own in self.files if base.format == "torch" and other_weights(base.card, own.card)]
        told = [f"{name} was exported from other weights than {base.name}: compare time and size only" for name in strangers]
        return [*told, *dict.fromkeys(note for own in self.files if own.score is not None for note in own.score.notes)]

    def doubts(self) -> list[tuple[str, Clock, str]]:
        """Why files are NOISY: who ("all files" where a reason holds for every one), which clock, the reasons in one line."""
        found: list[tuple[str, Clock, str]] = []
        for clock in self.clocks:
            told = {own.name: own.clocks[clock].verdict.reasons for own in self.files}
            common = [
                reason for reason in self.files[0].clocks[clock].verdict.reasons if all(reason in own for own in told.values())
            ]
            shared = common if len(told) > 1 else []
            rest = {name: [reason for reason in reasons if reason not in shared] for name, reasons in told.items()}
            found += [(name, clock, "; ".join(own)) for name, own in {"all files": shared, **rest}.items() if own]
        return found


def other_weights(checkpoint: ModelCard, artifact: ModelCard) -> bool:
    """Whether an artifact says that it was exported from other weights than the checkpoint's; one that says nothing is believed."""
    return bool(checkpoint.sha256 and artifact.sha256) and checkpoint.sha256 != artifact.sha256


def names(paths: Sequence[Path]) -> list[str]:
    """A short name for each file: its own, with its folder in front where two files have the same."""
    own = [path.name for path in paths]
    return [name if own.count(name) == 1 else f"{path.parent.name}/{name}" for path, name in zip(paths, own, strict=True)]


def parts(path: Path) -> list[Path]:
    """A model file with what belongs to it: the weights beside an OpenVINO .xml, external data beside an ONNX file."""
    beside = path.with_suffix(".bin") if path.suffix == ".xml" else path.with_name(path.name + ".data")
    return [path, beside] if beside.is_file() else [path]


def size_of(path: Path) -> int:
    """Bytes of a model file with all its parts."""
    return sum(part.stat().st_size for part in parts(path))


def digest(path: Path) -> str:
    """SHA-256 over all parts of a model file, in hexadecimal: which file a number belongs to."""
    found = hashlib.sha256()
    for part in parts(path):
        found.update(part.read_bytes())
    return found.hexdigest()
