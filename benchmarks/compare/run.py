"""A whole comparison from Python, as `edgecnn compare` runs it: read or measure, judge, write the reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.compare.alternation import PairPlan
from edgecnn.benchmarks.compare.ci_outputs import to_junit
from edgecnn.benchmarks.compare.comparison import Comparison, compare_files, compare_records
from edgecnn.benchmarks.compare.comparison_document import to_document
from edgecnn.benchmarks.compare.finding import Limits
from edgecnn.benchmarks.compare.models import compare_models
from edgecnn.benchmarks.compare.record_file import read_record
from edgecnn.benchmarks.compare.rows import to_csv, to_markdown
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.report.document import json_values, to_json
from edgecnn.devices import environment, probe
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.runtime.model.card_inference import CardOptions

RECORD = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """Records, or model files with their load options; limits; reports to write.

    ``files``: the first is the one before. One record alone: its files are compared with its reference. ``force``: compare records
    of different definitions. ``pairs``: the most pairs of processes for model files. The other fields are those of
    ``BenchmarkConfig``.
    """

    files: tuple[Path, ...]
    limits: Limits = field(default_factory=Limits)
    force: bool = False
    clocks: tuple[Clock, ...] = ("model",)
    pairs: int = PairPlan().looks[-1]
    device: Device = CPU
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    data: DatasetSelection | None = None
    require_signature: Path | None = None
    json_path: Path | None = None
    markdown_path: Path | None = None
    csv_path: Path | None = None
    junit_path: Path | None = None

    @property
    def reports(self) -> tuple[Path, ...]:
        """The files that are written."""
        return tuple(filter(None, (self.json_path, self.markdown_path, self.csv_path, self.junit_path)))

    @property
    def plan(self) -> PairPlan:
        """When model files are judged, up to the most pairs."""
        looks = [*(look for look in PairPlan().looks if look < self.pairs), self.pairs]
        return PairPlan(looks=tuple(looks))


def compare(config: CompareConfig, progress: Progress = no_progress, report: Progress = no_progress) -> list[Comparison]:
    """Compare the files of ``config`` and write its reports.

    Raises ``InputError`` for records that can't be read or compared and for reports that can't be written, and for model files
    what ``compare_models`` raises.
    """
    for path in config.reports:
        check_writable(path)
    records = [path.suffix.lower() == RECORD for path in config.files]
    if any(records) and not all(records):
        raise InputError(
            "records and model files can't be compared with each other", "give only .json files, or only model files"
        )
    comparisons, extra = _of_records(config) if all(records) else _of_models(config, progress, report)
    document = to_document(comparisons, config.limits, extra)
    writers: Sequence[tuple[Path | None, Callable[[], str]]] = (
        (config.json_path, lambda: to_json(json_values(document))),
        (config.markdown_path, lambda: to_markdown(comparisons)),
        (config.csv_path, lambda: to_csv(comparisons)),
        (config.junit_path, lambda: to_junit(comparisons)),
    )
    for target, text in writers:
        if target is not None:
            write_file(target, text())
    return comparisons


def _of_records(config: CompareConfig) -> tuple[list[Comparison], dict[str, Any]]:
    runs = [read_record(path) for path in config.files]
    if len(runs) == 1:
        return compare_files(runs[0], config.limits), {}
    return [compare_records(runs[0], run, config.limits, force=config.force) for run in runs[1:]], {}


def _of_models(config: CompareConfig, progress: Progress, report: Progress) -> tuple[list[Comparison], dict[str, Any]]:
    if len(config.files) < 2:
        raise InputError("one model file is no comparison", "name a second one, or measure it with edgecnn benchmark")
    if "age" in config.clocks:
        raise InputError("--clock age can't be compared in alternation: it depends on the camera", "give model, task or both")
    own = BenchmarkConfig(
        files=config.files,
        device=config.device,
        threads=config.threads,
        options=config.options,
        clocks=config.clocks,
        data=config.data,
        require_signature=config.require_signature,
    )
    before = environment()
    found = compare_models(own, config.limits, config.plan, progress, report)
    device = probe()
    extra = {
        "device": {**dataclasses.asdict(device), "slug": device.slug},
        "environment": dataclasses.asdict(before),
        "engine_device": str(own.device),
        "threads": own.engine_threads,
        "plan": dataclasses.asdict(config.plan),
        "measured": [one.to_document() for one in found],
    }
    return [one.comparison for one in found], extra
