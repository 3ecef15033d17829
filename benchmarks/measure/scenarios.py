"""Runs load scenarios on model files, in interleaved rounds, with energy and disturbances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import sleep

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.load import LoadSamples
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import Progress
from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.rounds import file_order
from edgecnn.benchmarks.measure.scenario import (
    EnergyUse,
    Scenario,
    ScenarioOptions,
    ScenarioRecord,
    SustainedRecord,
    clock_of,
)
from edgecnn.benchmarks.measure.sustained import sustained_run
from edgecnn.benchmarks.measure.verdict import disturbance_reasons
from edgecnn.devices.counters import between, read_counters
from edgecnn.devices.energy import EnergyMeter
from edgecnn.devices.energy_source import EnergySource, find_energy
from edgecnn.types import Latency

ROUNDS = 2
IDLE_S = 5.0
CAMERA_FPS = 30.0
QUERY_STREAMS = 8

Load = Callable[[Sequence[ModelProcess], int], None]


@dataclass(slots=True)
class FileScenarios:
    """The scenarios of one file."""

    records: dict[Scenario, ScenarioRecord] = field(default_factory=dict)
    sustained: SustainedRecord | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one scenario is run: requests in flight, frames of a query or cameras, and the request to the measuring process."""

    scenario: Scenario
    requests: int
    streams: int
    rate_fps: float | None
    method: str
    arguments: dict[str, object]


def run_scenarios(
    config: BenchmarkConfig,
    load: Callable[[int, ExitStack], list[ModelProcess]],
    progress: Progress,
    source: EnergySource | None = None,
) -> list[FileScenarios]:
    """All scenarios of ``config`` for every file; ``load`` gives loaded processes for so many requests in flight.

    ``source``: where energy is read; None: what this machine has.
    """
    found = [FileScenarios() for _ in config.files]
    source = find_energy() if source is None else source
    for scenario in config.scenarios.extra:
        with ExitStack() as stack:
            if scenario == "sustained":
                processes = load(1, stack)
                for own, process in zip(found, processes, strict=True):
                    own.sustained = sustained_run(
                        config, process, clock_of(config.clocks), _idle_watts(source, progress), source, progress
                    )
                continue
            plan = plan_of(scenario, config.scenarios, config.protocol, config.engine_threads)
            processes = load(plan.requests, stack)
            for own, record in zip(found, _run(plan, config, processes, source, progress), strict=True):
                own.records[scenario] = record
    return found


def plan_of(scenario: Scenario, options: ScenarioOptions, protocol: Protocol, threads: int) -> _Plan:
    """The plan of a scenario for ``threads`` CPU threads."""
    if scenario == "offline":
        return _Plan(scenario, threads, 1, None, "offline", {"seconds": protocol.throughput_s / ROUNDS})
    if scenario == "multi-stream":
        streams = options.streams or QUERY_STREAMS
        amount = {"queries": -(-protocol.runs // ROUNDS), "seconds": protocol.duration_s / ROUNDS}
        return _Plan(scenario, min(streams, threads), streams, None, "multi_stream", {"streams": streams, **amount})
    streams, rate = options.streams or 1, options.rate_fps or CAMERA_FPS
    frames = max(protocol.runs, round(protocol.duration_s * rate * streams))
    arguments: dict[str, object] = {"interval_s": 1 / (rate * streams), "frames": -(-frames // ROUNDS)}
    return _Plan(scenario, min(streams, threads), streams, rate, "paced", arguments)


def _run(
    plan: _Plan, config: BenchmarkConfig, processes: Sequence[ModelProcess], source: EnergySource, progress: Progress
) -> list[ScenarioRecord]:
    clock = clock_of(config.clocks)
    for process in processes:
        progress(f"{plan.scenario}: warm-up, {process.path.name}")
        process.ask("warm_up", clock=clock, protocol=config.protocol)
    idle = _idle_watts(source, progress)
    before = read_counters([process.pid for process in processes])
    parts: list[list[tuple[LoadSamples, float | None]]] = [[] for _ in processes]
    for turn in range(ROUNDS):
        for index in file_order(len(processes), turn):
            progress(f"{plan.scenario}: round {turn + 1} of {ROUNDS}, {processes[index].path.name}")
            with EnergyMeter(source) as meter:
                samples = processes[index].ask(plan.method, clock=clock, **plan.arguments)
            parts[index].append((samples, meter.joules))
    disturbance = disturbance_reasons(between(before, read_counters([process.pid for process in processes])))
    reasons = tuple(reason for reason, holds in disturbance.items() if holds)
    return [_record(plan, clock, process, own, idle, source, reasons) for process, own in zip(processes, parts, strict=True)]


def _record(
    plan: _Plan,
    clock: Clock,
    process: ModelProcess,
    parts: Sequence[tuple[LoadSamples, float | None]],
    idle: float | None,
    source: EnergySource,
    reasons: tuple[str, ...],
) -> ScenarioRecord:
    samples = tuple(value for one, _ in parts for value in one.samples_ms)
    seconds, inferences = sum(one.seconds for one, _ in parts), sum(one.inferences for one, _ in parts)
    deadline = None if plan.rate_fps is None else 1e3 / plan.rate_fps
    return ScenarioRecord(
        scenario=plan.scenario,
        clock=clock,
        concurrency=process.load_report.concurrency,
        seconds=seconds,
        inferences=inferences,
        latency=Latency(samples),
        streams=plan.streams,
        rate_fps=plan.rate_fps,
        deadline_ms=deadline,
        missed=None if deadline is None else sum(value > deadline for value in samples),
        energy=energy_use(source, [joules for _, joules in parts], idle, seconds, inferences),
        reasons=reasons,
    )


def energy_use(
    source: EnergySource, joules: Sequence[float | None], idle: float | None, seconds: float, inferences: int
) -> EnergyUse:
    """The energy of several rounds; unknown where one round is."""
    known = [value for value in joules if value is not None]
    total = sum(known) if known and len(known) == len(joules) else None
    return EnergyUse(source.name, total, idle, seconds, inferences, source.problem)


def _idle_watts(source: EnergySource, progress: Progress) -> float | None:
    """The power with the models loaded and idle; None without waiting where nothing is readable."""
    if not source.readings:
        return None
    progress(f"power at idle, {IDLE_S:.0f} s")
    with EnergyMeter(source) as meter:
        sleep(IDLE_S)
    return meter.watts
