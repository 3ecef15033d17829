"""Results of a benchmark: one FileRecord per file, one Record for all, with the machine they were measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.scenario import Scenario, ScenarioRecord, SustainedRecord
from edgecnn.benchmarks.measure.statistics import speedup
from edgecnn.benchmarks.measure.timing import WarmUp
from edgecnn.benchmarks.measure.verdict import Verdict
from edgecnn.card import ModelCard
from edgecnn.devices import DeviceProfile, Environment
from edgecnn.devices.counters import Disturbance
from edgecnn.metrics import Score
from edgecnn.runtime.profile.operators import OperatorProfile
from edgecnn.types import Latency

Stages = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class ClockRecord:
    """One clock of one file: raw samples of every round in milliseconds, stage times of the same samples, the verdict.

    ``ledger`` counts the frames of the age clock (captured, processed, dropped, failed), those before the first sample included.
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
    """Milliseconds from process start to first prediction in consecutive stages: interpreter, imports, load and compile, predict."""

    python_ms: float
    import_ms: float
    load_ms: float
    first_prediction_ms: float

    @property
    def total_ms(self) -> float:
        """Process start to first prediction."""
        return self.python_ms + self.import_ms + self.load_ms + self.first_prediction_ms


@dataclass(frozen=True, slots=True)
class Throughput:
    """Frames per second with ``concurrency`` calling threads, by clock (model: run only, task: frames to boxes)."""

    concurrency: int
    fps: Mapping[Clock, float]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """All measurements of one file; ``cold_starts`` and ``peak_memory_mib`` have one value per fresh process.

    ``no_score_because``: why the accuracy of this file could not be measured, "" where it was or was not asked for; ``warnings``: why
    its results can't be right; ``scenarios``, ``sustained``: further load, where it was asked for;
    ``profile``: time by operator, likewise.
    """

    path: Path
    name: str
    format: str
    card: ModelCard
    size_bytes: int
    cold_starts: tuple[ColdStart, ...]
    peak_memory_mib: tuple[float, ...]
    clocks: Mapping[Clock, ClockRecord]
    sha256: str = ""
    throughput: Throughput | None = None
    score: Score | None = None
    no_score_because: str = ""
    warnings: tuple[str, ...] = ()
    scenarios: Mapping[Scenario, ScenarioRecord] = field(default_factory=dict)
    sustained: SustainedRecord | None = None
    profile: OperatorProfile | None = None

    @property
    def precision(self) -> str:
        """fp32, fp16 or int8, from the card."""
        return self.card.precision

    @property
    def cold_start(self) -> ColdStart:
        """The median of the cold starts, by total time."""
        # the lower median: a measured cold start, not the mean of two
        return sorted(self.cold_starts, key=lambda start: start.total_ms)[(len(self.cold_starts) - 1) // 2]

    @property
    def memory_mib(self) -> float:
        """The highest peak of the processes."""
        return max(self.peak_memory_mib)

    @property
    def verdict(self) -> Verdict:
        """The verdict over all clocks, without repeated reasons."""
        return Verdict(tuple(dict.fromkeys(reason for record in self.clocks.values() for reason in record.verdict.reasons)))


@dataclass(frozen=True, slots=True)
class Record:
    """One benchmark run; ``engine_device`` and ``threads`` hold for every engine, ``inputs`` and ``data`` describe the images.

    ``started`` is UTC in ISO 8601; ``revision`` is the git revision of the folder in which the command ran, "" where it has none.
    ``partial``: it was interrupted, and holds the clocks that were complete; nothing was measured after them.
    """

    started: str
    protocol: Protocol
    device: DeviceProfile
    environment: Environment
    engine_device: str
    threads: int
    inputs: str
    data: str
    disturbance: Mapping[Clock, Disturbance]
    files: tuple[FileRecord, ...] = ()
    revision: str = ""
    partial: bool = False

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that were measured."""
        return tuple(self.files[0].clocks)

    @property
    def reference(self) -> FileRecord:
        """The file that ratios refer to: the PyTorch checkpoint where one was measured, else the first file."""
        return next((record for record in self.files if record.format == "torch"), self.files[0])

    def speedup(self, record: FileRecord, clock: Clock) -> tuple[float, float, float]:
        """Speedup over the reference: ratio of the p50, then p10 and p90 of the ratio over the rounds."""
        return speedup(self.reference.clocks[clock].rounds, record.clocks[clock].rounds)

    def notes(self) -> list[str]:
        """Notes on the numbers: files with other weights than the checkpoint's, images and classes excluded from the accuracy."""
        base = self.reference
        differing = [own.name for own in self.files if base.format == "torch" and other_weights(base.card, own.card)]
        notes = ["this record is partial: the benchmark was interrupted before its end"] if self.partial else []
        notes += [f"{name} was exported from other weights than {base.name}: compare time and size only" for name in differing]
        notes += [f"warning: {warning}" for own in self.files for warning in own.warnings]
        notes += [f"no accuracy of {own.name}: {own.no_score_because}" for own in self.files if own.no_score_because]
        batches = [
            (own.name, own.card.inputs[0].shape[0]) for own in self.files if own.card.inputs and not own.card.preprocess.tensors
        ]
        notes += [
            f"{name} computes {images} images at once: its times are those of a batch" for name, images in batches if images > 1
        ]
        return [*notes, *dict.fromkeys(note for own in self.files if own.score is not None for note in own.score.notes)]

    def noise_reasons(self) -> list[tuple[str, Clock, str]]:
        """Reasons of NOISY verdicts: file name ("all files" where a reason holds for every file), clock, reasons in one line."""
        found: list[tuple[str, Clock, str]] = []
        for clock in self.clocks:
            by_file = {own.name: own.clocks[clock].verdict.reasons for own in self.files}
            common = [
                reason for reason in self.files[0].clocks[clock].verdict.reasons if all(reason in own for own in by_file.values())
            ]
            shared = common if len(by_file) > 1 else []
            rest = {name: [reason for reason in reasons if reason not in shared] for name, reasons in by_file.items()}
            found += [(name, clock, "; ".join(own)) for name, own in {"all files": shared, **rest}.items() if own]
        return found


def other_weights(checkpoint: ModelCard, artifact: ModelCard) -> bool:
    """Whether an artifact's card names other weights than the checkpoint's; a card without a digest counts as equal."""
    return bool(checkpoint.sha256 and artifact.sha256) and checkpoint.sha256 != artifact.sha256


def display_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each file: its own, with as many of its folders in front as tell it from files of the same name."""
    own = [path.absolute().parts for path in paths]
    return [_display_name(parts, {*own} - {parts}) for parts in own]


def _display_name(parts: tuple[str, ...], others: Set[tuple[str, ...]]) -> str:
    same = [other for other in others if other[-1] == parts[-1]]
    depth = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in same))
    return str(Path(*parts[-depth:]))


def model_files(path: Path) -> list[Path]:
    """A model file with its companion file: the weights (.bin) of an OpenVINO .xml, the external data of an ONNX file."""
    # an .xml holds the graph only; an ONNX file above 2 GB keeps its tensors in NAME.onnx.data
    companion = path.with_suffix(".bin") if path.suffix == ".xml" else path.with_name(path.name + ".data")
    return [path, companion] if companion.is_file() else [path]


def file_size(path: Path) -> int:
    """Bytes of a model file with all its parts."""
    return sum(part.stat().st_size for part in model_files(path))


def sha256_of(path: Path) -> str:
    """SHA-256 over a model file with all its parts, in hexadecimal."""
    found = hashlib.sha256()
    for part in model_files(path):
        found.update(part.read_bytes())
    return found.hexdigest()


def measured_digest(path: Path, card: ModelCard) -> str:
    """By what a result names its file: SHA-256 of graph and weights, which a new text in the card does not change; else of the file."""
    return card.graph_sha256 or sha256_of(path)
