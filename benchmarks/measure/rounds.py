"""Interleaved rounds: the files are measured alternately, so that a disturbance of the machine affects all of them equally."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from edgecnn.benchmarks.measure.model_under_test import RoundSamples
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import Progress
from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.record import ClockRecord, Throughput
from edgecnn.benchmarks.measure.timing import WarmUp
from edgecnn.benchmarks.measure.verdict import judge
from edgecnn.devices.counters import Disturbance, between, read_counters


def measure_clock(
    clock: Clock, protocol: Protocol, processes: Sequence[ModelProcess], progress: Progress
) -> tuple[list[ClockRecord], Disturbance]:
    """All rounds of one clock for every file, and the disturbance of the machine meanwhile."""
    warm_ups = []
    for process in processes:
        progress(f"{clock} clock: warm-up, {process.path.name}")
        warm_ups.append(process.ask("warm_up", clock=clock, protocol=protocol))
    pids = [process.pid for process in processes]
    # read after the warm-ups, which may compile and allocate
    before = read_counters(pids)
    rounds: list[list[RoundSamples]] = [[] for _ in processes]
    for turn in range(protocol.rounds):
        for index in file_order(len(processes), turn):
            progress(f"{clock} clock: round {turn + 1} of {protocol.rounds}, {processes[index].path.name}")
            rounds[index].append(processes[index].ask("measure", clock=clock, protocol=protocol))
    disturbance = between(before, read_counters(pids))
    return [_record(clock, own, warm, disturbance) for own, warm in zip(rounds, warm_ups, strict=True)], disturbance


def file_order(count: int, turn: int) -> Sequence[int]:
    """The order of the files in a round: forwards and backwards alternately, so that no file always follows the same other file."""
    return range(count) if turn % 2 == 0 else range(count - 1, -1, -1)


def measure_throughput(
    protocol: Protocol, clocks: Sequence[Clock], processes: Sequence[ModelProcess], progress: Progress
) -> list[Throughput]:
    """Frames per second of every file, in interleaved rounds; ``processes`` were loaded for several requests in flight."""
    found: list[dict[Clock, list[float]]] = [{clock: [] for clock in clocks} for _ in processes]
    for turn in range(2):
        for index in file_order(len(processes), turn):
            progress(f"throughput: round {turn + 1} of 2, {processes[index].path.name}")
            for clock in clocks:
                rate = processes[index].ask("throughput", clock=clock, seconds=protocol.throughput_s / 2)
                found[index][clock].append(rate)
    return [
        Throughput(process.load_report.concurrency, {clock: sum(rates) / len(rates) for clock, rates in own.items()})
        for process, own in zip(processes, found, strict=True)
    ]


def _record(clock: Clock, rounds: Sequence[RoundSamples], warm: WarmUp, disturbance: Disturbance) -> ClockRecord:
    samples = tuple(tuple(one.samples_ms) for one in rounds)
    stages = dict.fromkeys(chain.from_iterable(one.stages_ms for one in rounds))
    ledgers = dict.fromkeys(chain.from_iterable(one.ledger for one in rounds))
    return ClockRecord(
        clock=clock,
        rounds=samples,
        warm_up=warm,
        verdict=judge(clock, samples, warm, disturbance),
        stages={name: tuple(chain.from_iterable(one.stages_ms.get(name, ()) for one in rounds)) for name in stages},
        ledger={name: sum(one.ledger.get(name, 0) for one in rounds) for name in ledgers},
    )
