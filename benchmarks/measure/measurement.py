"""A whole benchmark: one process per file, cold starts, interleaved rounds, accuracy, throughput, verdicts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.inputs import BenchmarkInputs, dataset_inputs, default_inputs, store
from edgecnn.benchmarks.measure.process import LoadReport, ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.record import (
    ClockRecord,
    ColdStart,
    FileRecord,
    Record,
    Throughput,
    display_names,
    file_size,
    sha256_of,
)
from edgecnn.benchmarks.measure.rounds import measure_clock, measure_throughput
from edgecnn.benchmarks.measure.scenarios import FileScenarios, run_scenarios
from edgecnn.data import Dataset
from edgecnn.data.recognition import report_lines
from edgecnn.devices import environment, probe
from edgecnn.devices.counters import Disturbance
from edgecnn.devices.environment import revision
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.metrics import Score
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.profile.operators import OperatorProfile

Check = Callable[[Sequence[ModelProcess]], None]


def measure(
    config: BenchmarkConfig, progress: Progress = no_progress, check: Check = lambda _: None, report: Progress = no_progress
) -> Record:
    """Measure all files of ``config``; ``progress`` gets one short line at each step, ``report`` lines on the dataset.

    ``check`` sees the loaded files before they are measured and may raise.
    Raises what loading a file or opening a dataset raises, and ``BackendError`` where an engine crashes.
    """
    for path in config.files:
        file_format(path)
        require_signature(path, config.require_signature)
    # read first: the load average must not contain the measurement itself
    before, started = environment(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        processes = load_all(config, 1, stack, progress)
        check(processes)
        inputs, unscored = store_inputs(config, processes, Path(folder), progress, report)
        cold = _cold_starts(config, processes, progress)
        _use(folder, processes)
        found = _clocks(config, processes, progress)
        later = _Later.nothing(len(config.files))
        partial = len(found) < len(config.clocks)
        try:
            if not partial:
                later.measure(config, processes, unscored, folder, stack, progress)
        except KeyboardInterrupt:
            if not config.keep_partial:
                raise
            partial = True
    clocks = [{clock: records[index] for clock, (records, _) in found.items()} for index in range(len(config.files))]
    files = map(
        _file_record,
        config.files,
        display_names(config.files),
        cold,
        clocks,
        later.throughput,
        later.scores,
        unscored,
        later.warnings,
        later.loads,
        later.profiles,
    )
    return Record(
        started=started,
        protocol=config.protocol,
        device=probe(),
        environment=before,
        engine_device=str(config.device),
        threads=config.engine_threads,
        inputs=inputs.description,
        data=str(config.data or ""),
        disturbance={clock: disturbance for clock, (_, disturbance) in found.items()},
        files=tuple(files),
        revision=revision(Path.cwd()),
        partial=partial,
    )


@dataclass
class _Later:
    """What is measured after the clocks, by file."""

    scores: list[Score | None]
    warnings: list[tuple[str, ...]]
    profiles: list[OperatorProfile | None]
    throughput: list[Throughput | None]
    loads: list[FileScenarios]

    @classmethod
    def nothing(cls, count: int) -> _Later:
        """Nothing of ``count`` files."""
        return cls([None] * count, [()] * count, [None] * count, [None] * count, [FileScenarios() for _ in range(count)])

    def measure(
        self,
        config: BenchmarkConfig,
        processes: list[ModelProcess],
        unscored: list[str],
        folder: str,
        stack: ExitStack,
        progress: Progress,
    ) -> None:
        """Measure all of it; what is complete stays where this is interrupted."""
        self.warnings = [process.ask("warnings") for process in processes]
        self.scores = [
            None if reason else score_file(config, process, progress) for process, reason in zip(processes, unscored, strict=True)
        ]
        if config.profile:
            self.profiles = [process.ask("profile", engine=config.engine) for process in processes]
        stack.close()  # so that the throughput measurement has the machine's memory to itself
        self.throughput = _throughput(config, folder, progress)
        self.loads = run_scenarios(config, lambda requests, own: load_for_use(config, requests, folder, own, progress), progress)


def _clocks(
    config: BenchmarkConfig, processes: list[ModelProcess], progress: Progress
) -> dict[Clock, tuple[list[ClockRecord], Disturbance]]:
    """All clocks; after an interrupt those that are complete, where ``config`` keeps them."""
    found: dict[Clock, tuple[list[ClockRecord], Disturbance]] = {}
    try:
        for clock in config.clocks:
            found[clock] = measure_clock(clock, config.protocol, processes, progress)
    except KeyboardInterrupt:
        if not found or not config.keep_partial:
            raise
    return found


def load_all(config: BenchmarkConfig, requests: int, stack: ExitStack, progress: Progress) -> list[ModelProcess]:
    """A fresh process for each file, ended with ``stack``."""
    processes = []
    for path in config.files:
        progress(f"loading {path.name}")
        processes.append(stack.enter_context(ModelProcess(path, config.load_options(requests))))
    return processes


def _cold_starts(config: BenchmarkConfig, processes: list[ModelProcess], progress: Progress) -> list[list[LoadReport]]:
    """The load reports of all cold starts, by file; only the first process of each file is kept for the measurement."""
    reports = [[process.load_report] for process in processes]
    for number in range(1, config.protocol.cold_starts):
        for own, path in zip(reports, config.files, strict=True):
            progress(f"cold start {number + 1} of {config.protocol.cold_starts}, {path.name}")
            with ModelProcess(path, config.load_options(1)) as process:
                own.append(process.load_report)
    return reports


def store_inputs(
    config: BenchmarkConfig, processes: list[ModelProcess], folder: Path, progress: Progress, report: Progress
) -> tuple[BenchmarkInputs, list[str]]:
    """Read the inputs once, for all processes, and say why the accuracy of a file can't be measured ("" where it can).

    Raises ``InputError`` where that is so for all files.
    """
    progress("reading inputs")
    count = config.protocol.input_count
    unscored = [""] * len(processes)
    if config.data is None:
        inputs = default_inputs(processes[0].load_report.card, count)
    else:
        dataset = config.data.open(count)
        for line in report_lines(dataset):
            report(line)
        if dataset.labels:
            unscored = _why_not_scored(config.data, dataset, processes)
        inputs = dataset_inputs(dataset, str(config.data), count)
    store(inputs, folder)
    return inputs, unscored


def _why_not_scored(data: DatasetSelection, dataset: Dataset, processes: list[ModelProcess]) -> list[str]:
    errors: list[InputError | None] = []
    for process in processes:
        try:
            data.check(dataset, process.load_report.card)
        except InputError as error:
            errors.append(error)
        else:
            errors.append(None)
    if (first := errors[0]) is not None and None not in errors:
        raise first
    return ["" if error is None else error.problem for error in errors]


def _use(folder: str, processes: list[ModelProcess]) -> None:
    for process in processes:
        process.ask("use", folder=folder)


def score_file(config: BenchmarkConfig, process: ModelProcess, progress: Progress) -> Score | None:
    """Accuracy of the same loaded file that was timed."""
    if config.data is None:
        return None
    progress(f"accuracy of {process.path.name}")
    score: Score | None = process.ask("accuracy", data=config.data, options=config.options)
    return score


def load_for_use(config: BenchmarkConfig, requests: int, folder: str, stack: ExitStack, progress: Progress) -> list[ModelProcess]:
    """A fresh process for each file, with the inputs stored in ``folder``."""
    processes = load_all(config, requests, stack, progress)
    _use(folder, processes)
    return processes


def _throughput(config: BenchmarkConfig, folder: str, progress: Progress) -> list[Throughput | None]:
    clocks = [clock for clock in config.clocks if clock != "age"]
    if not config.throughput or not clocks:
        return [None] * len(config.files)
    with ExitStack() as stack:
        # loaded anew: engines fix the number of requests in flight when they load a model
        processes = load_for_use(config, config.engine_threads, folder, stack, progress)
        return [*measure_throughput(config.protocol, clocks, processes, progress)]


def _file_record(
    path: Path,
    name: str,
    cold: list[LoadReport],
    clocks: dict[Clock, ClockRecord],
    throughput: Throughput | None,
    score: Score | None,
    no_score_because: str,
    warnings: tuple[str, ...],
    loads: FileScenarios,
    profile: OperatorProfile | None,
) -> FileRecord:
    return FileRecord(
        path=path,
        name=name,
        format=file_format(path),
        card=cold[0].card,
        size_bytes=file_size(path),
        sha256=sha256_of(path),
        cold_starts=tuple(ColdStart(**report.cold_start) for report in cold),
        peak_memory_mib=tuple(report.peak_memory_mib for report in cold),
        clocks=clocks,
        throughput=throughput,
        score=score,
        no_score_because=no_score_because,
        warnings=warnings,
        scenarios=loads.records,
        sustained=loads.sustained,
        profile=profile,
    )
