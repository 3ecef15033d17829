"""Rounds in which the files take turns: what disturbs the machine for a moment disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from edgecnn.benchmarks.measure.loop import WarmUp
from edgecnn.benchmarks.measure.process import Process
from edgecnn.benchmarks.measure.protocol import Clock, Protocol
from edgecnn.benchmarks.measure.record import ClockRecord, Throughput
from edgecnn.benchmarks.measure.subject import Round
from edgecnn.benchmarks.measure.verdict import judge
from edgecnn.devices.counters import Disturbance, between, read_counters

Say = Callable[[str], None]


def measure_clock(
    clock: Clock, protocol: Protocol, subjects: Sequence[Process], say: Say
) -> tuple[list[ClockRecord], Disturbance]:
    """All rounds of one clock for every file, and what disturbed the machine meanwhile."""
    warm = []
    for subject in subjects:
        say(f"{clock} clock: warm-up, {subject.path.name}")
        warm.append(subject.ask("warm", clock=clock, protocol=protocol))
    pids = [subject.pid for subject in subjects]
    before = read_counters(pids)
    rounds: list[list[Round]] = [[] for _ in subjects]
    for turn in range(protocol.rounds):
        for index in turns(len(subjects), turn):
            say(f"{clock} clock: round {turn + 1} of {protocol.rounds}, {subjects[index].path.name}")
            rounds[index].append(subjects[index].ask("measure", clock=clock, protocol=protocol))
    disturbance = between(before, read_counters(pids))
    return [_record(clock, own, warmed, disturbance) for own, warmed in zip(rounds, warm, strict=True)], disturbance


def turns(count: int, turn: int) -> Sequence[int]:
    """The order of the files in a round: forwards and backwards by turns, so that none always follows the same neighbour."""
    return range(count) if turn % 2 == 0 else range(count - 1, -1, -1)


def measure_throughput(protocol: Protocol, clocks: Sequence[Clock], subjects: Sequence[Process], say: Say) -> list[Throughput]:
    """Frames per second of every file, measured in turns; ``subjects`` were opened for several requests in flight."""
    found: list[dict[Clock, list[float]]] = [{clock: [] for clock in clocks} for _ in subjects]
    for turn in range(2):
        for index in turns(len(subjects), turn):
            say(f"throughput: round {turn + 1} of 2, {subjects[index].path.name}")
            for clock in clocks:
                rate = subjects[index].ask("throughput", clock=clock, seconds=protocol.throughput_s / 2)
                found[index][clock].append(rate)
    return [
        Throughput(subject.opened.concurrency, {clock: sum(rates) / len(rates) for clock, rates in own.items()})
        for subject, own in zip(subjects, found, strict=True)
    ]


def _record(clock: Clock, rounds: Sequence[Round], warm: WarmUp, disturbance: Disturbance) -> ClockRecord:
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
