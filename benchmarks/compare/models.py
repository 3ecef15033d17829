"""Compares model files by measuring them in alternation on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.compare.accuracy import accuracy_findings
from edgecnn.benchmarks.compare.alternation import Alternation, PairPlan, measure_alternation, processor
from edgecnn.benchmarks.compare.comparison import Comparison, accuracy_notes, undecided_notes
from edgecnn.benchmarks.compare.finding import Finding, Limits
from edgecnn.benchmarks.compare.quantities import exact, latency_finding, plain, ratio_direction
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.measurement import load_all, score_file, store_inputs
from edgecnn.benchmarks.measure.process import ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.record import display_names, file_size
from edgecnn.cpus import threads_text
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.runtime.backends import file_format

# A share: peaks of memory hardly vary, so an interval shows a few pages, which mean nothing.
TINY_MEMORY = 0.01


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two model files with what was measured of them: the comparison and the values of all pairs of processes."""

    comparison: Comparison
    measured: Alternation
    inputs: str

    def to_document(self) -> dict[str, Any]:
        """The values of all pairs as JSON, by quantity: medians of each process, and the median ratio of the rounds."""
        own = self.measured
        return {
            "after": self.comparison.after,
            "inputs": self.inputs,
            "pairs": {name: _columns(own, name) for name in (own.ratios[0] if own.ratios else ())},
        }


def _columns(own: Alternation, name: str) -> dict[str, list[float]]:
    sides = {"before": own.before, "after": own.after, "ratio": own.ratios}
    return {title: [values[name] for values in side] for title, side in sides.items()}


def compare_models(
    config: BenchmarkConfig,
    limits: Limits,
    plan: PairPlan | None = None,
    progress: Progress = no_progress,
    report: Progress = no_progress,
) -> list[ModelComparison]:
    """Measure each further file of ``config`` in alternation with its first one.

    Raises ``InputError`` for files of different tasks, what loading a file or opening a dataset raises, and ``BackendError``
    where an engine crashes.
    """
    for path in config.files:
        file_format(path)
        require_signature(path, config.require_signature)
    return [
        _compare_two(replace(config, files=(config.files[0], path)), limits, plan or PairPlan(), progress, report)
        for path in config.files[1:]
    ]


def _compare_two(
    config: BenchmarkConfig, limits: Limits, plan: PairPlan, progress: Progress, report: Progress
) -> ModelComparison:
    names = display_names(config.files)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        inputs, accuracies = _inputs_and_accuracy(config, Path(folder), progress, report)
        openers = [partial(ModelProcess, path, config.load_options(1)) for path in config.files]
        found = measure_alternation(openers[0], openers[1], folder, config.clocks, plan, progress)
    file = names[1] if names[0] == names[1] else f"{names[0]} -> {names[1]}"
    findings = [*latency_findings(file, found, config.clocks, plan), *_size(file, config)]
    if accuracies[0] is not None and accuracies[1] is not None:
        findings += accuracy_findings(file, accuracies[0], accuracies[1])
    method = f"{len(found.ratios)} pairs of processes in alternation, {threads_text(config.engine_threads)}, {config.device}"
    judged = judge_all(findings, limits)
    notes = (*_notes(found, config, plan), *undecided_notes(judged, limits), *accuracy_notes(judged))
    comparison = Comparison(names[0], names[1], method, judged, notes, found.noise)
    return ModelComparison(comparison, found, inputs)


def latency_findings(file: str, found: Alternation, clocks: tuple[Clock, ...], plan: PairPlan) -> list[Finding]:
    """The findings of what was measured in alternation: clocks, cold start and memory."""
    rows = []
    for clock in clocks:
        rows.append(latency_finding(file, f"{clock} p50", *found.medians(clock), found.interval(clock, plan.look_confidence)))
        spent = found.interval(processor(clock), plan.look_confidence)
        row = plain(file, "processor", f"{clock} processor time", "ms", *found.medians(processor(clock)))
        rows.append(replace(row, change=spent, direction=ratio_direction(spent)))
    for name, kind, title, unit in (("cold_start", "start", "cold start", "ms"), ("memory", "memory", "peak memory", "MiB")):
        change = found.interval(name, plan.look_confidence)
        row = plain(file, kind, title, unit, *found.medians(name))
        tiny = kind == "memory" and change is not None and abs(change.value - 1) < TINY_MEMORY
        rows.append(replace(row, change=change, direction="none" if tiny else ratio_direction(change)))
    return rows


def judge_all(findings: Sequence[Finding], limits: Limits) -> tuple[Finding, ...]:
    """The findings judged; a processor time counts only where the latency before it shows nothing.

    More processor time in less time is the aim of more threads; where the latency is lost in noise, it is the best that is known.
    """
    judged: list[Finding] = []
    for finding in findings:
        own = limits.judge(finding)
        if own.kind == "processor" and judged[-1].direction in {"better", "worse"}:
            own = replace(own, regression=False)
        judged.append(own)
    return tuple(judged)


def _inputs_and_accuracy(
    config: BenchmarkConfig, folder: Path, progress: Progress, report: Progress
) -> tuple[str, list[Mapping[str, Any] | None]]:
    """Store the inputs in ``folder`` and measure the accuracy of both files, in processes of their own."""
    with ExitStack() as stack:
        processes = load_all(config, 1, stack, progress)
        tasks = [process.load_report.card.task for process in processes]
        if tasks[0] != tasks[1]:
            first, second = (path.name for path in config.files)
            raise InputError(
                f"{first} is a model to {tasks[0]}, and {second} is a model to {tasks[1]}", "compare models of one task"
            )
        inputs, unscored = store_inputs(config, processes, folder, progress, report)
        scores = [
            None if reason else score_file(config, process, progress) for process, reason in zip(processes, unscored, strict=True)
        ]
    return inputs.description, [
        None if own is None else {**own.to_dict(), "metric": own.metric, "primary": own.primary} for own in scores
    ]


def _size(file: str, config: BenchmarkConfig) -> list[Finding]:
    before, after = (file_size(path) / 1e6 for path in config.files)
    return [exact(file, "size", "file size", "MB", before, after, 0.0)]


def _notes(found: Alternation, config: BenchmarkConfig, plan: PairPlan) -> list[str]:
    """How small a difference would have shown, where none did and the interval is wide."""
    intervals = {clock: found.interval(clock, plan.look_confidence) for clock in config.clocks}
    return [
        f"{clock} clock: a difference below {change.reach - 1:.1%} would not show"
        for clock, change in intervals.items()
        if change is not None and not change.shown and change.reach > 1 + plan.precise
    ]
