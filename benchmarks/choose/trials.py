"""The real trials of a race: a process for each candidate, as many at the same time as the memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from edgecnn.benchmarks.choose.budget import Budget
from edgecnn.benchmarks.choose.candidates import EngineVariant, RunCandidate
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.decision import MB
from edgecnn.benchmarks.choose.inputs import Inputs
from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.protocol import Protocol
from edgecnn.benchmarks.measure.record import file_size
from edgecnn.card import ModelCard
from edgecnn.devices.limits import memory_mib
from edgecnn.errors import BackendError

MIB: Final = 1 << 20
SHARE: Final = 0.5  # of the memory, for all processes together
LEAST_RUNS: Final = 3
ENDING_S: Final = 3.0  # of the limit of time: ending the processes, the decision, the report
WARM_UP: Final = Protocol("choose", 5, 0, 1, 1, 0, warm_up_runs=5, warm_up_s=0.2, warm_up_limit_s=1.5)


class Processes:
    """Loaded candidates; the one that was not used for the longest time ends when the memory is needed. Leaving ``with`` ends all.

    Their processes raise ``OutOfTimeError`` when the time of the choice is over.
    ``peaks`` are bytes, the peak of each candidate's first process; ``cards`` and ``precisions`` are those of the files.
    """

    def __init__(self, config: ChooseConfig) -> None:
        self.peaks: dict[RunCandidate, int] = {}
        self.cards: dict[EngineVariant, ModelCard] = {}
        self.precisions: dict[EngineVariant, str] = {}
        self._config = config
        self._limit_s = max(60 * config.max_minutes - ENDING_S, 0.5 * 60 * config.max_minutes)
        self._open: OrderedDict[RunCandidate, ModelProcess] = OrderedDict()
        self._started = monotonic()
        self._memory = (memory_mib() or 2048) * MIB * SHARE

    def get(self, candidate: RunCandidate) -> tuple[ModelProcess, bool]:
        """The process of a candidate, and whether it was started now. Raises what loading the file raises."""
        if candidate in self._open:
            self._open.move_to_end(candidate)
            return self._open[candidate], False
        expected = max(self.peaks.values(), default=0)
        while len(self._open) > 1 and sum(self.peaks[other] for other in self._open) + expected > self._memory:
            self._open.popitem(last=False)[1].close()
        config, variant = self._config, candidate.variant
        load = LoadOptions(config.device, candidate.threads, 1, config.options, variant.engine)
        process = self._open[candidate] = ModelProcess(variant.path, load, deadline=self._started + self._limit_s)
        self.peaks.setdefault(candidate, int(process.load_report.peak_memory_mib * MIB))
        if variant not in self.precisions:
            self.cards[variant] = process.load_report.card
            self.precisions[variant] = process.ask("precision")
        return process, True

    @property
    def seconds(self) -> float:
        """Seconds since the start of the choice."""
        return monotonic() - self._started

    @property
    def seconds_left(self) -> float:
        """Seconds until nothing more can be measured, 0 from then on."""
        return max(self._limit_s - self.seconds, 0.0)

    def close(self) -> None:
        """End all processes."""
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class RealTrials:
    """Times and judges candidates; implements ``Trials``."""

    def __init__(self, processes: Processes, inputs: Inputs, budget: Budget, judge: Any) -> None:
        self._processes, self._inputs, self._budget, self._judge = processes, inputs, budget, judge

    def load(self, candidate: RunCandidate) -> None:
        """Load and warm up a candidate. Raises ``BackendError`` for one that is too large, or takes too much memory."""
        size, limit = file_size(candidate.variant.path), self._budget.max_size_bytes
        if limit is not None and size > limit:
            raise BackendError(f"size {size / MB:.2f} MB is above {limit / MB:.2f} MB", "raise --max-size")
        self._ready(candidate)
        peak, most = self._processes.peaks[candidate], self._budget.max_memory_bytes
        if most is not None and peak > most:
            raise BackendError(f"memory {peak / MB:.0f} MB is above {most / MB:.0f} MB", "raise --max-memory")

    def time(self, candidate: RunCandidate, seconds: float) -> Sequence[float]:
        """Milliseconds of the task clock."""
        protocol = Protocol("choose", LEAST_RUNS, seconds, 1, 1, 0)
        samples: list[float] = self._ready(candidate).ask("measure", clock="task", protocol=protocol).samples_ms
        return samples

    def judge(self, variant: EngineVariant) -> str:
        """Why a variant is not exact enough."""
        reason: str = self._judge(variant)
        return reason

    def now(self) -> float:
        """Seconds since the start."""
        return self._processes.seconds

    def over(self) -> bool:
        """Whether nothing more can be measured."""
        return self._processes.seconds_left == 0

    def _ready(self, candidate: RunCandidate) -> ModelProcess:
        process, is_new = self._processes.get(candidate)
        if is_new:
            self._inputs.give(process)
            process.ask("warm_up", clock="task", protocol=WARM_UP)
        return process
