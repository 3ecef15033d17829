"""A whole comparison from Python, as `edgecnn compare` runs it: read or measure, judge, write the reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.compare.alternation import PairPlan
from edgecnn.benchmarks.compare.ci_outputs import to_junit
from edgecnn.benchmarks.compare.comparison import Comparison, compare_files, compare_records
from edgecnn.benchmarks.compare.comparison_document import to_document
from edgecnn.benchmarks.compare.finding import Limits
from edgecnn.benchmarks.compare.history import Series, read_history
from edgecnn.benchmarks.compare.history_rows import history_csv, history_markdown, history_text
from edgecnn.benchmarks.compare.models import compare_models
from edgecnn.benchmarks.compare.page import comparison_page
from edgecnn.benchmarks.compare.record_file import MeasuredRun, read_record
from edgecnn.benchmarks.compare.rows import to_csv, to_markdown, to_text
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.measure.record import display_names, model_files
from edgecnn.benchmarks.report.document import json_values, to_json
from edgecnn.benchmarks.report.template import load_jinja
from edgecnn.devices import environment, probe
from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError
from edgecnn.files import check_reports, write_file
from edgecnn.runtime.model.card_inference import CardOptions

RECORD = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """Records, or model files with their load options; limits; reports to write.

    ``files``: the first is the one before. One record alone: its files are compared with its reference. ``force``: compare records
    of different definitions. ``pairs``: the most pairs of processes for model files. ``history``: a folder of records whose series
    are reported, too. The other fields are those of ``BenchmarkConfig``. Raises ``ValueError`` without files and history.
    """

    files: tuple[Path, ...] = ()
    history: Path | None = None
    limits: Limits = field(default_factory=Limits)
    force: bool = False
    clocks: tuple[Clock, ...] = ("model",)
    pairs: int = PairPlan().looks[-1]
    device: Device = CPU
    engine: str | None = None
    threads: int | None = None
    options: CardOptions = field(default_factory=CardOptions)
    data: DatasetSelection | None = None
    require_signature: Path | None = None
    json_path: Path | None = None
    markdown_path: Path | None = None
    csv_path: Path | None = None
    junit_path: Path | None = None
    html_path: Path | None = None

    def __post_init__(self) -> None:
        if not self.files and self.history is None:
            raise ValueError("nothing to compare; name files or a history")

    @property
    def reports(self) -> tuple[Path, ...]:
        """The files that are written."""
        return tuple(filter(None, (self.json_path, self.markdown_path, self.csv_path, self.junit_path, self.html_path)))

    @property
    def plan(self) -> PairPlan:
        """When model files are judged, up to the most pairs."""
        looks = [*(look for look in PairPlan().looks if look < self.pairs), self.pairs]
        return PairPlan(looks=tuple(looks))


@dataclass(frozen=True, slots=True)
class ComparisonRun:
    """What was compared: comparisons, the records they came from, the series of the history, notes on its files."""

    comparisons: tuple[Comparison, ...] = ()
    runs: tuple[MeasuredRun, ...] = ()
    series: tuple[Series, ...] = ()
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """For a terminal."""
        return "\n\n".join(filter(None, [to_text(self.comparisons), history_text(self.series), "\n".join(self.notes)]))

    @property
    def markdown(self) -> str:
        """As Markdown."""
        tables = [to_markdown(self.comparisons) if self.comparisons else "", history_markdown(self.series) if self.series else ""]
        return "\n".join(filter(None, tables))

    @property
    def csv(self) -> str:
        """As CSV: the comparisons, or without any the history."""
        return to_csv(self.comparisons) if self.comparisons else history_csv(self.series)


def compare(config: CompareConfig, progress: Progress = no_progress, report: Progress = no_progress) -> ComparisonRun:
    """Compare the files of ``config``, read its history and write its reports.

    Raises ``InputError`` for records that can't be read or compared and for reports that can't be written, ``MissingExtraError``
    without jinja2 for HTML, and for model files what ``compare_models`` raises.
    """
    check_reports(config.reports, [part for path in config.files for part in model_files(path)])
    if config.html_path is not None:
        load_jinja()
    records = [path.suffix.lower() == RECORD for path in config.files]
    if any(records) and not all(records):
        raise InputError(
            "records and model files can't be compared with each other", "give only .json files, or only model files"
        )
    series, notes = read_history(config.history) if config.history is not None else ([], [])
    found = ComparisonRun()
    if records:
        found = _of_records(config) if all(records) else _of_models(config, progress, report)
    found = replace(found, series=tuple(series), notes=tuple(notes))
    write_reports(found, config)
    return found


def write_reports(found: ComparisonRun, config: CompareConfig) -> None:
    """Write the reports that ``config`` names; raises ``InputError`` where that fails."""
    writers: Sequence[tuple[Path | None, Callable[[], str]]] = (
        (
            config.json_path,
            lambda: to_json(json_values(to_document(found.comparisons, config.limits, found.series, found.extra))),
        ),
        (config.markdown_path, lambda: found.markdown),
        (config.csv_path, lambda: found.csv),
        (config.junit_path, lambda: to_junit(found.comparisons)),
        (config.html_path, lambda: comparison_page(found.comparisons, found.runs, found.series, found.notes)),
    )
    for target, text in writers:
        if target is not None:
            write_file(target, text())


def _of_records(config: CompareConfig) -> ComparisonRun:
    runs = [read_record(path) for path in config.files]
    runs = [replace(run, name=name) for run, name in zip(runs, display_names(config.files), strict=True)]
    if len(runs) == 1:
        return ComparisonRun(tuple(compare_files(runs[0], config.limits)), tuple(runs))
    comparisons = [compare_records(runs[0], run, config.limits, force=config.force) for run in runs[1:]]
    return ComparisonRun(tuple(comparisons), tuple(runs))


def _of_models(config: CompareConfig, progress: Progress, report: Progress) -> ComparisonRun:
    if len(config.files) < 2:
        raise InputError("one model file is no comparison", "name a second one, or measure it with edgecnn benchmark")
    if "age" in config.clocks:
        raise InputError("--clock age can't be compared in alternation: it depends on the camera", "give model, task or both")
    own = BenchmarkConfig(
        files=config.files,
        device=config.device,
        engine=config.engine,
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
    return ComparisonRun(tuple(one.comparison for one in found), extra=extra)
