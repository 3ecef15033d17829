"""`edgecnn benchmark` on boards: one after the other, each with its own record; what one board fails at is kept beside the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from edgecnn.columns import align_columns
from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.remote.address import BoardAddress
from edgecnn.remote.board import RemoteBoard, Told
from edgecnn.remote.command import BoardCommand, RunningCommand, local_paths
from edgecnn.remote.runtime import BoardRuntime, engine_extras, existing_runtime, installed_runtime

RESULT: Final = "result.json"


@dataclass(frozen=True, kw_only=True)
class RemotePlace:
    """Boards and how edgecnn gets there: a wheelhouse, a folder there, or a Python there that has edgecnn."""

    hosts: tuple[BoardAddress, ...]
    wheelhouse: Path | None = None
    folder: str = ""
    python: str = ""

    def runtime(self, board: RemoteBoard, extras: set[str], told: Told) -> BoardRuntime:
        """edgecnn on ``board``, installed if it is absent. Raises ``InputError``."""
        return (
            existing_runtime(board, self.python, extras)
            if self.python
            else installed_runtime(board, extras, self.wheelhouse, told)
        )


class HostName(Protocol):
    """How a host is called in a table, and in the name of a file."""

    @property
    def file_name(self) -> str: ...  # noqa: D102

    def __str__(self) -> str: ...


class InterruptedBenchmarkError(InputError):
    """Ctrl-C or SIGTERM ended a benchmark."""


@dataclass(frozen=True)
class HostRecord:
    """What one board measured: its JSON document, what it printed, its files; the error that ended it, beside a partial result or alone."""

    address: HostName
    document: dict[str, Any] | None = None
    printed: str = ""
    files: dict[str, bytes] | None = None
    cuts: int = 0
    error: EdgeCnnError | None = None


def benchmark_hosts(
    place: RemotePlace, words: Sequence[str | Path], extras: set[str], told: Told, progress: Told
) -> list[HostRecord]:
    """Run `edgecnn benchmark WORDS` on each board. A board that fails does not end the others; its error is in its record.

    After Ctrl-C the last record holds what that board had complete, and an error.
    """
    needed = extras | engine_extras((path for path in local_paths(words) if path.suffix != ".pub"), words)
    found = []
    for address in place.hosts:
        try:
            found.append(_benchmark(place, address, words, needed, told, progress))
        except EdgeCnnError as error:
            found.append(HostRecord(address, error=error))
        if isinstance(found[-1].error, InterruptedBenchmarkError):
            break
    return found


def _benchmark(
    place: RemotePlace, address: BoardAddress, words: Sequence[str | Path], extras: set[str], told: Told, progress: Told
) -> HostRecord:
    progress(f"{address}: connecting")
    printed: list[bytes] = []
    error: EdgeCnnError | None = None
    with RemoteBoard(address, place.folder, told) as board:
        runtime = place.runtime(board, extras, told)
        command = BoardCommand(words=["benchmark", *words, "--json", RESULT, "--keep-partial"])
        with RunningCommand(board, runtime, command, told, lambda text: progress(f"{address}: {text}")) as running:
            try:
                running.follow(printed.append)
            except KeyboardInterrupt:
                running.end(printed.append)
                error = InterruptedBenchmarkError("the benchmark was interrupted, and was ended on the board", "run it again")
            except EdgeCnnError as problem:
                if not board.link.is_up:
                    raise
                error = problem
            files = running.job.files()
    if RESULT not in files:
        raise error or BackendError(f"{address} sent no result", "run it again")
    document: dict[str, Any] = json.loads(files[RESULT])
    document["host"] = str(address)
    text = "\n".join(line for line in b"".join(printed).decode(errors="replace").splitlines() if not line.startswith("wrote "))
    return HostRecord(address, document, text.strip(), files, board.cuts, error)


def hosts_table(records: Sequence[HostRecord]) -> str:
    """One table of all boards, a row for each file and clock; boards without a result are named below."""
    rows = [["host", "file", "latency in ms", "p50", "p90", "p99", "mean", "runs", "frames/s", "memory MiB", "verdict"]]
    for record in records:
        for own in (record.document or {}).get("files", ()):
            rows += [_row(record, own, clock) for clock in own["clocks"]]
    failed = [
        f"{record.address}: {'no' if record.document is None else 'partial'} result: {record.error}"
        for record in records
        if record.error is not None
    ]
    return "\n\n".join(filter(None, [align_columns(rows, left=3) if len(rows) > 1 else "", "\n".join(failed)]))


def _row(record: HostRecord, own: dict[str, Any], clock: str) -> list[str]:
    first = clock == next(iter(own["clocks"]))
    found = own["clocks"][clock]
    times = [f"{found[name]:.3g}" for name in ("p50_ms", "p90_ms", "p99_ms", "mean_ms")]
    rate = (own["throughput_fps"] or {}).get(clock)
    return [
        str(record.address) if first else "",
        own["name"] if first else "",
        clock,
        *times,
        str(found["count"]),
        "" if rate is None else f"{rate:.0f}",
        f"{own['peak_memory_mib']:.0f}" if first else "",
        found["verdict"],
    ]
