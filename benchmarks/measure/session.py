"""A whole measurement: a process for each file, cold starts, rounds in turn, accuracy, throughput, verdicts."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from edgecnn.benchmarks.measure.dataset_choice import DataChoice
from edgecnn.benchmarks.measure.inputs import Inputs, dataset_inputs, default_inputs, store
from edgecnn.benchmarks.measure.process import Opened, Process, Setup
from edgecnn.benchmarks.measure.protocol import CLOCKS, FULL, Clock, Protocol
from edgecnn.benchmarks.measure.record import ClockRecord, ColdStart, FileRecord, Record, Throughput, digest, names, size_of
from edgecnn.benchmarks.measure.rounds import Say, measure_clock, measure_throughput
from edgecnn.cpus import usable_cpus
from edgecnn.devices import environment, probe
from edgecnn.metrics import Score
from edgecnn.runtime.backends import file_format


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured: files, how they are opened, which clocks, on which data.

    ``data`` gives inputs and accuracy; None: built-in inputs and no accuracy. ``check`` sees the loaded files before they are
    measured, and raises what speaks against measuring them.
    """

    files: tuple[Path, ...]
    setup: Setup = field(default_factory=Setup)
    protocol: Protocol = FULL
    clocks: tuple[Clock, ...] = CLOCKS
    data: DataChoice | None = None
    throughput: bool = True
    check: Callable[[Sequence[Process]], None] = field(default=lambda _: None)

    @property
    def threads(self) -> int:
        """CPU threads for every engine: as given, else all that this process may use, so that engines compare."""
        return self.setup.threads or usable_cpus()

    def setup_for(self, requests: int) -> Setup:
        """How files are opened with ``requests`` inferences in flight."""
        return dataclasses.replace(self.setup, threads=self.threads, requests=requests)


def measure(plan: Plan, say: Say = lambda _: None) -> Record:
    """Measure all files of ``plan``; ``say`` gets one short line at each step.

    Raises what opening a file or dataset raises, and ``BackendError`` where an engine crashes.
    """
    for path in plan.files:
        file_format(path)
    before, started = environment(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        subjects = open_all(plan, 1, stack, say)
        plan.check(subjects)
        inputs = _store_inputs(plan, subjects, Path(folder), say)
        cold = _cold_starts(plan, subjects, say)
        _use(folder, subjects)
        found = {clock: measure_clock(clock, plan.protocol, subjects, say) for clock in plan.clocks}
        scores = [_score(plan, subject, say) for subject in subjects]
        stack.close()  # so that throughput has the machine's memory to itself
        throughput = _throughput(plan, folder, say)
    shared = Record(
        started=started,
        protocol=plan.protocol,
        device=probe(),
        environment=before,
        where=plan.setup.device,
        threads=plan.threads,
        inputs=inputs.what,
        data=str(plan.data or ""),
        disturbance={clock: disturbance for clock, (_, disturbance) in found.items()},
    )
    clocks = [{clock: records[index] for clock, (records, _) in found.items()} for index in range(len(plan.files))]
    files = map(_file_record, plan.files, names(plan.files), cold, clocks, throughput, scores)
    return dataclasses.replace(shared, files=tuple(files))


def open_all(plan: Plan, requests: int, stack: ExitStack, say: Say) -> list[Process]:
    """A fresh process for each file, ended with ``stack``."""
    subjects = []
    for path in plan.files:
        say(f"loading {path.name}")
        subjects.append(stack.enter_context(Process(path, plan.setup_for(requests))))
    return subjects


def _cold_starts(plan: Plan, subjects: list[Process], say: Say) -> list[list[Opened]]:
    """What each process told at its start, by file; the processes beyond the first end at once."""
    cold = [[subject.opened] for subject in subjects]
    for turn in range(1, plan.protocol.cold_starts):
        for told, path in zip(cold, plan.files, strict=True):
            say(f"cold start {turn + 1} of {plan.protocol.cold_starts}, {path.name}")
            with Process(path, plan.setup_for(1)) as process:
                told.append(process.opened)
    return cold


def _store_inputs(plan: Plan, subjects: list[Process], folder: Path, say: Say) -> Inputs:
    """Read the inputs once, for all processes; what would stop the accuracy later is raised here."""
    say("reading inputs")
    count = plan.protocol.inputs
    if plan.data is None:
        inputs = default_inputs(subjects[0].opened.card.task, count)
    else:
        dataset = plan.data.open(count)
        for subject in subjects if dataset.labels else ():
            plan.data.check(dataset, subject.opened.card)
        inputs = dataset_inputs(dataset, str(plan.data), count)
    store(inputs, folder)
    return inputs


def _use(folder: str, subjects: list[Process]) -> None:
    for subject in subjects:
        subject.ask("use", folder=folder)


def _score(plan: Plan, subject: Process, say: Say) -> Score | None:
    """Accuracy of the same loaded file that was timed."""
    if plan.data is None:
        return None
    say(f"accuracy of {subject.path.name}")
    score: Score | None = subject.ask("accuracy", data=plan.data, options=plan.setup.options)
    return score


def _throughput(plan: Plan, folder: str, say: Say) -> list[Throughput | None]:
    clocks = [clock for clock in plan.clocks if clock != "age"]
    if not plan.throughput or not clocks:
        return [None] * len(plan.files)
    with ExitStack() as stack:
        subjects = open_all(plan, plan.threads, stack, say)
        _use(folder, subjects)
        return [*measure_throughput(plan.protocol, clocks, subjects, say)]


def _file_record(
    path: Path,
    name: str,
    cold: list[Opened],
    clocks: dict[Clock, ClockRecord],
    throughput: Throughput | None,
    score: Score | None,
) -> FileRecord:
    return FileRecord(
        path=path,
        name=name,
        format=file_format(path),
        card=cold[0].card,
        bytes=size_of(path),
        sha256=digest(path),
        cold=tuple(ColdStart(**opened.cold) for opened in cold),
        peak_mib=tuple(opened.peak_mib for opened in cold),
        clocks=clocks,
        throughput=throughput,
        score=score,
    )
