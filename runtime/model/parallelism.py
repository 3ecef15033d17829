"""Default number of threads and requests of a model, and the candidates that an ``Autotuner`` compares.

This is a separate module, because a run preloads its models with the default before OpenCV is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgecnn.cpus import usable_cpus

Goal = Literal["latency", "throughput"]


@dataclass(frozen=True, slots=True)
class Parallelism:
    """Total number of ``threads`` of the engine (None: its default) and number of concurrent inferences, ``requests``."""

    threads: int | None
    requests: int


def candidates(cpus: int, goal: Goal) -> tuple[Parallelism, ...]:
    """Return the settings to measure on ``cpus`` processors, the default first.

    "throughput": one request per core and one more, which is preprocessed meanwhile; one request per core; one request on all
    cores. "latency": all cores, half of them (hyper-threads share the units of a core and may slow each other down), and one.
    """
    if goal == "throughput":
        tried = [Parallelism(cpus, cpus + 1), Parallelism(cpus, cpus), Parallelism(cpus, 1)]
    else:
        tried = [Parallelism(None, 1), Parallelism(max(cpus // 2, 1), 1), Parallelism(1, 1)]
    return tuple(dict.fromkeys(tried)) if cpus > 1 else (Parallelism(None, 2 if goal == "throughput" else 1),)


def default_parallelism(goal: Goal) -> Parallelism:
    """Return the default setting on this machine, without a measurement."""
    return candidates(usable_cpus(), goal)[0]
