"""`edgecnn benchmark --host`: the same measurement on boards."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any, Final

import click

from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.benchmarks.report.document import to_json
from edgecnn.cli.remote_options import PLACE_NAMES, forwarded_words
from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.remote.benchmark import HostName, HostRecord, RemotePlace, benchmark_hosts, hosts_table

REPORT: Final = "report.html"
LEFT_OUT: Final = {*PLACE_NAMES, "json_path", "html_path"}
READ: Final = {"labels", "image", "require_signature"}


def benchmark_boards(context: click.Context, place: RemotePlace, values: dict[str, Any], extras: set[str]) -> None:
    """Measure on all boards of ``place``, print one table, write the reports; ends with the exit code of the first board that failed."""
    words = forwarded_words(context, LEFT_OUT, READ, [Path(path) for path in values["files"]])
    reports = {name: values[name] for name in ("json_path", "html_path") if values[name] is not None}
    for path in reports.values():
        for address in place.hosts:
            check_writable(report_path(path, address, several=len(place.hosts) > 1))
    words += ["--html", REPORT] if "html_path" in reports else []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the run on the board is ended
    try:
        with ProgressLine() as progress:
            records = benchmark_hosts(place, words, extras, progress.above, progress)
    except KeyboardInterrupt:
        raise InputError("the benchmark was interrupted, and was ended on the board", "run it again") from None
    finish(records, reports, several=len(place.hosts) > 1)


def finish(records: list[HostRecord], reports: dict[str, Path], *, several: bool) -> None:
    """Print one table, write the reports; ends with the exit code of the first host that failed."""
    _print(records)
    for record in records:
        if record.document is not None and record.files is not None:
            _write(record, reports, several=several)
    errors = [record.error for record in records if record.error is not None]
    if errors and len(records) == 1:
        raise errors[0]
    if errors:
        sys.exit(errors[0].exit_code)


def report_path(path: Path, address: HostName, *, several: bool) -> Path:
    """The report of one board: {host} in its name is replaced. Raises ``InputError`` where several boards would write one file."""
    if several and "{host}" not in path.name:
        raise InputError(f"{path} would hold the results of several boards", "write {host} into its name: result-{host}.json")
    return path.with_name(path.name.replace("{host}", address.file_name))


def _print(records: list[HostRecord]) -> None:
    if len(records) == 1:
        click.echo(records[0].printed, nl=bool(records[0].printed))
    else:
        click.echo(hosts_table(records))


def _write(record: HostRecord, reports: dict[str, Path], *, several: bool) -> None:
    contents = {"json_path": to_json(record.document or {}), "html_path": (record.files or {}).get(REPORT)}
    for name, path in reports.items():
        content = contents[name]
        if content is not None:
            target = report_path(path, record.address, several=several)
            write_file(target, content)
            click.echo(f"\nwrote {target}")
