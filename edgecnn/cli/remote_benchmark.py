"""`edgecnn benchmark --host`: the same measurement on boards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from edgecnn.benchmarks.compare.history import make_history, store
from edgecnn.benchmarks.measure.record import model_files
from edgecnn.benchmarks.report.document import to_json
from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.remote_options import PLACE_NAMES, forwarded_words
from edgecnn.errors import InputError
from edgecnn.files import check_reports, write_file
from edgecnn.remote.benchmark import RESULT, HostName, HostRecord, RemotePlace, benchmark_hosts, hosts_table

# Reports by their parameter, with their names on the board.
REPORTS: Final = {"json_path": RESULT, "html_path": "report.html", "markdown_path": "report.md", "csv_path": "report.csv"}
LEFT_OUT: Final = {*PLACE_NAMES, *REPORTS, "history", "keep_partial"}
READ: Final = {"labels", "image", "require_signature"}


def benchmark_boards(context: click.Context, place: RemotePlace, values: dict[str, Any], extras: set[str]) -> None:
    """Measure on all boards of ``place``, print one table, write the reports; ends with the exit code of the first board that failed."""
    words = forwarded_words(context, LEFT_OUT, READ, [Path(path) for path in values["files"]])
    reports = {name: values[name] for name in REPORTS if values[name] is not None}
    several = len(place.hosts) > 1
    written = [report_path(path, address, several=several) for path in reports.values() for address in place.hosts]
    check_reports(written, [part for path in values["files"] for part in model_files(Path(path))])
    words += [word for name in reports if name != "json_path" for word in (_option(context, name), REPORTS[name])]
    if values["history"] is not None:
        make_history(values["history"])
    with interruptible("the benchmark was interrupted, and was ended on the board") as progress:
        records = benchmark_hosts(place, words, extras, progress.above, progress)
    finish(records, reports, several=several, history=values["history"])


def finish(records: list[HostRecord], reports: dict[str, Path], *, several: bool, history: Path | None = None) -> None:
    """Print one table, write the reports; ends with the exit code of the first host that failed."""
    _print(records, several=several)
    for record in records:
        if record.document is not None and record.files is not None:
            _write(record, reports, history, several=several)
    errors = [record.error for record in records if record.error is not None]
    if errors and not several:
        raise errors[0]
    if errors:
        sys.exit(errors[0].exit_code)


def report_path(path: Path, address: HostName, *, several: bool) -> Path:
    """The report of one board: {host} in its name is replaced. Raises ``InputError`` where several boards would write one file."""
    if several and "{host}" not in path.name:
        raise InputError(f"{path} would hold the results of several boards", "write {host} into its name: result-{host}.json")
    return path.with_name(path.name.replace("{host}", address.file_name))


def _option(context: click.Context, name: str) -> str:
    """The option of a parameter."""
    return next(one.opts[0] for one in context.command.params if one.name == name)


def _print(records: list[HostRecord], *, several: bool) -> None:
    if several:
        click.echo(hosts_table(records))
    else:
        click.echo(records[0].printed, nl=bool(records[0].printed))


def _write(record: HostRecord, reports: dict[str, Path], history: Path | None, *, several: bool) -> None:
    document, files = record.document or {}, record.files or {}
    contents = {name: files.get(there) for name, there in REPORTS.items()}
    for name, path in reports.items():
        content = to_json(document) if name == "json_path" else contents[name]
        if content is not None:
            target = report_path(path, record.address, several=several)
            write_file(target, content)
            click.echo(f"\nwrote {target}")
    if history is not None and not document.get("partial"):
        store(history, document)
