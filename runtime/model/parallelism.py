"""How many threads and requests a model may use: the default, and the candidates that an ``Autotuner`` compares.

A module of its own, because a run needs the default before OpenCV is imported: loading a model starts in the background by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgecnn.cpus import usable_cpus

Goal = Literal["latency", "throughput"]


@dataclass(frozen=True, slots=True)
class Parallelism:
    """``threads`` of the engine in all (None: the engine decides) and ``requests``, the inferences in flight at once."""

    threads: int | None
    requests: int


def candidates(cpus: int, goal: Goal) -> tuple[Parallelism, ...]:
    """Settings worth a trial on ``cpus`` processors, the default first.

    "throughput" tries one request per core and one more that is preprocessed meanwhile, the same without the extra one, and a single
    request on all cores. "latency" tries all cores, half of them (hyper-threads share a core's units and may slow each other
    down), and one.
    """
    if goal == "throughput":
        tried = [Parallelism(cpus, cpus + 1), Parallelism(cpus, cpus), Parallelism(cpus, 1)]
    else:
        tried = [Parallelism(None, 1), Parallelism(max(cpus // 2, 1), 1), Parallelism(1, 1)]
    return tuple(dict.fromkeys(tried)) if cpus > 1 else (Parallelism(None, 2 if goal == "throughput" else 1),)


def default_parallelism(goal: Goal) -> Parallelism:
    """The setting that suits most models on this machine, without a measurement."""
    return candidates(usable_cpus(), goal)[0]
