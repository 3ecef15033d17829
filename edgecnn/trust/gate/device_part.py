"""The budgets of a device: latency and memory by `edgecnn benchmark`, on this machine or a board; the size of the file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np

from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.progress import Progress
from edgecnn.benchmarks.measure.protocol import FULL, QUICK
from edgecnn.benchmarks.measure.record import file_size
from edgecnn.benchmarks.report.document import to_document
from edgecnn.counts import counted
from edgecnn.metrics.estimate import PERCENTILES
from edgecnn.remote.benchmark import RemotePlace, benchmark_hosts
from edgecnn.trust.gate.policy import LatencyBudget, Policy
from edgecnn.trust.gate.verdict import BudgetVerdict
from edgecnn.types import Array

RESAMPLES: Final = 1000
STATISTICS: Final = ("mean", "p50", "p99")


def size_verdicts(config: EvaluationConfig, policy: Policy) -> Iterator[BudgetVerdict]:
    """The verdict on the size of the file."""
    if policy.size is not None and policy.size.max_mb is not None:
        yield BudgetVerdict(
            key="size.max_mb",
            title="file size",
            limit=policy.size.max_mb,
            at_least=False,
            unit="MB",
            value=file_size(config.file) / 1e6,
            exact=True,
            detail="with its weights",
        )


def benchmark_document(
    config: EvaluationConfig, policy: Policy, place: RemotePlace | None, progress: Progress, report: Progress
) -> dict[str, Any] | None:
    """What `edgecnn benchmark` says of the file, here or at ``place``; None where no budget needs it.

    Raises what a benchmark raises.
    """
    if policy.latency is None and policy.memory is None:
        return None
    latency = policy.latency or LatencyBudget()
    if place is not None:
        return _there(config, latency, place, progress, report)
    own = BenchmarkConfig(
        files=(config.file,),
        device=config.device,
        engine=config.engine,
        threads=latency.threads or config.threads,
        options=config.options,
        clocks=(latency.clock,),
        protocol=FULL if latency.protocol == "full" else QUICK,
        throughput=False,
    )
    return to_document(measure(own, progress, report=report))


def _there(
    config: EvaluationConfig, latency: LatencyBudget, place: RemotePlace, progress: Progress, report: Progress
) -> dict[str, Any]:
    words: list[Any] = [config.file, "--clock", latency.clock, *(() if latency.protocol == "full" else ("--quick",))]
    threads = latency.threads or config.threads
    words += [] if threads is None else ["--threads", str(threads)]
    words += [] if config.engine is None else ["--engine", config.engine]
    words += [] if str(config.device) == "cpu" else ["--device", str(config.device)]
    words += _card_words(config)
    record = benchmark_hosts(place, words, set(), report, progress)[0]
    if record.document is None or record.error is not None:
        assert record.error is not None
        raise record.error
    return record.document


def _card_words(config: EvaluationConfig) -> Iterator[str]:
    """The options of the card as words of the command line."""
    for name, value in config.options.given().items():
        parts = value if isinstance(value, tuple) else (value,)
        yield from (f"--{name.replace('_', '-')}", ("x" if name == "size" else ",").join(map(str, parts)))


def device_verdicts(policy: Policy, document: Mapping[str, Any]) -> Iterator[BudgetVerdict]:
    """The verdicts on latency and memory from the document of a benchmark of one file."""
    own = document["files"][0]
    if policy.latency is not None:
        yield from _latency(policy.latency, document, own["clocks"][policy.latency.clock])
    if policy.memory is not None and policy.memory.peak_max_mib is not None:
        yield BudgetVerdict(
            key="memory.peak_max_mib",
            title="peak memory",
            limit=policy.memory.peak_max_mib,
            at_least=False,
            unit="MiB",
            value=own["peak_memory_mib"],
            exact=True,
            detail=where_words(document),
        )


def where_words(document: Mapping[str, Any]) -> str:
    """The machine of a benchmark, with its threads."""
    host = f"{document['host']}, " if "host" in document else ""
    threads = document["threads"]
    return f"{host}{document['device']['name']}, {counted(threads, 'thread')}"


def _latency(budget: LatencyBudget, document: Mapping[str, Any], clock: Mapping[str, Any]) -> Iterator[BudgetVerdict]:
    for name in STATISTICS:
        limit = getattr(budget, f"{name}_max_ms")
        if limit is None:
            continue
        low, high = latency_interval(clock["samples_ms"], clock["round_sizes"], name)
        doubt = f"NOISY: {'; '.join(clock['reasons'])}" if clock["reasons"] else ""
        if name == "p99" and clock["p99_bound_ms"] is None:
            doubt = doubt or f'{clock["count"]} runs are too few for a p99; set protocol = "full"'
        yield BudgetVerdict(
            key=f"latency.{name}_max_ms",
            title=f"latency {name}, {budget.clock} clock",
            limit=limit,
            at_least=False,
            unit="ms",
            value=clock[f"{name}_ms"],
            low=low,
            high=high,
            doubt=doubt,
            detail=f"{clock['count']} runs on {where_words(document)}",
        )


def latency_interval(samples: list[float], round_sizes: list[int], statistic: str) -> tuple[float | None, float | None]:
    """The 95 % interval of a statistic over rounds that are drawn again: samples of one round resemble each other.

    (None, None) with fewer than four rounds.
    """
    rounds = [np.array(samples[start:end]) for start, end in pairwise([0, *accumulate(round_sizes)]) if end > start]
    if len(rounds) < 4:
        return None, None
    draw = np.random.default_rng(0)
    values = [
        _statistic(np.concatenate([rounds[place] for place in draw.integers(0, len(rounds), len(rounds))]), statistic)
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def _statistic(samples: Array, name: str) -> float:
    if name == "mean":
        return float(samples.mean())
    # nearest rank, as in the record
    place = max(math.ceil(int(name[1:]) / 100 * len(samples)) - 1, 0)
    return float(np.partition(samples, place)[place])
