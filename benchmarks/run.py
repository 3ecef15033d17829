"""A whole benchmark from Python, as `edgecnn benchmark` runs it: measure, then write the reports."""

from __future__ import annotations

from pathlib import Path

from edgecnn.benchmarks.compare.history import make_history, store
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.measurement import measure
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import Record, model_files
from edgecnn.benchmarks.report.document import to_document, to_json
from edgecnn.benchmarks.report.page import data_uri, to_html
from edgecnn.benchmarks.report.record_tables import to_csv, to_markdown
from edgecnn.benchmarks.report.template import load_jinja
from edgecnn.files import check_reports as check_paths
from edgecnn.files import write_file


def benchmark(config: BenchmarkConfig, progress: Progress = no_progress, report: Progress = no_progress) -> Record:
    """Measure the files of ``config`` and write the reports that it names.

    ``progress`` gets one short line at each step, ``report`` lines on the dataset.

    Raises ``InputError`` for a report that can't be written and ``MissingExtraError`` without jinja2, both before the measurement;
    further what loading a file or opening a dataset raises, and ``BackendError`` where an engine crashes.
    """
    check_reports(config)
    record = measure(config, progress, report=report)
    write_reports(record, config)
    return record


def write_reports(record: Record, config: BenchmarkConfig) -> None:
    """Write all reports that ``config`` names, and the record into its history; raises as ``benchmark``."""
    if config.json_path is not None:
        write_json(record, config.json_path)
    if config.html_path is not None:
        write_html(record, config.html_path, config.image)
    if config.markdown_path is not None:
        write_file(config.markdown_path, to_markdown(record))
    if config.csv_path is not None:
        write_file(config.csv_path, to_csv(record))
    if config.history is not None and not record.partial:
        store(config.history, to_document(record))


def check_reports(config: BenchmarkConfig) -> None:
    """Raise errors of the reports before the long measurement instead of after it."""
    read = [part for path in config.files for part in model_files(path)]
    check_paths((config.json_path, config.html_path, config.markdown_path, config.csv_path), read)
    if config.history is not None:
        make_history(config.history)
    if config.html_path is not None:
        load_jinja()
    if config.image is not None:
        data_uri(config.image)


def write_json(record: Record, path: Path) -> None:
    """Write the JSON document of ``record``; raises ``InputError`` where that fails; no partial file is left."""
    write_file(path, to_json(to_document(record)))


def write_html(record: Record, path: Path, image: Path | None = None) -> None:
    """Write the HTML report with ``image``, a PNG or JPEG; raises ``InputError``, ``MissingExtraError`` without jinja2."""
    write_file(path, to_html(record, image))
