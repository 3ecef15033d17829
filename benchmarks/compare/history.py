"""A folder of records, by device and time: storing one, and the series of latencies that all of them give.

DIR/DEVICE/20260102T030405-REVISION.json; any other record put there counts, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.compare.change_points import Change, changes
from edgecnn.benchmarks.compare.record_file import MeasuredClock, MeasuredRun, read_record
from edgecnn.benchmarks.measure.protocol import Clock
from edgecnn.benchmarks.report.document import to_json
from edgecnn.cpus import threads_text
from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.types import nearest_rank


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One run of a series: median with 10th and 90th percentile of the round medians in milliseconds.

    ``revision`` is that of the project that ran the benchmark, else that of edgecnn; "" where neither is known.
    """

    started: str
    revision: str
    p50: float
    low: float
    high: float
    stable: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One clock of one file on one device, measured in one way (``definition``), in order of time."""

    device: str
    file: str
    clock: Clock
    definition: str
    points: tuple[HistoryPoint, ...]

    @property
    def changes(self) -> list[Change]:
        """Where the level changed for sure."""
        return changes([point.p50 for point in self.points])


def make_history(folder: Path) -> None:
    """Create the folder where it is missing; raises ``InputError`` where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def store(folder: Path, document: Mapping[str, Any]) -> Path:
    """Keep the JSON document of a record; returns its path. Raises ``InputError`` where it can't be written."""
    own = folder / str(document["device"]["slug"])
    make_history(own)
    moment = re.sub(r"[^0-9T]", "", document["started"].partition("+")[0])
    revision = re.sub(r"[^0-9a-z]", "-", _revision(document)) or "unknown"
    stem, number = f"{moment}-{revision}", 1
    while (path := own / f"{stem}{'' if number == 1 else f'-{number}'}.json").exists():
        number += 1
    write_file(path, to_json(document))
    return path


def read_history(folder: Path) -> tuple[list[Series], list[str]]:
    """All series of the records in a folder and its sub-folders, and a line on each file that is no record.

    Raises ``InputError`` where there is no record.
    """
    if not folder.is_dir():
        raise InputError(f"--history: {folder} is no folder", "run edgecnn benchmark with --history first")
    runs, problems = [], []
    for path in sorted(folder.rglob("*.json")):
        try:
            runs.append(read_record(path))
        except InputError as error:
            problems.append(f"left out: {error.problem}")
    if not runs:
        raise InputError(
            f"--history: {folder} holds no record of edgecnn benchmark", "run edgecnn benchmark with --history first"
        )
    return series_of(runs), problems


def series_of(runs: list[MeasuredRun]) -> list[Series]:
    """The series of some runs, by device, file, clock and definition, each in order of time."""
    found: dict[tuple[str, str, Clock, str], list[HistoryPoint]] = {}
    for run in sorted(runs, key=lambda own: str(own.document["started"])):
        for key, point in _points(run):
            found.setdefault(key, []).append(point)
    return [Series(*key, points=tuple(points)) for key, points in found.items()]


def _points(run: MeasuredRun) -> Iterator[tuple[tuple[str, str, Clock, str], HistoryPoint]]:
    document = run.document
    place = (
        f"{threads_text(document['threads'])}, {document['engine_device']}, {document['protocol']['name']}, {document['inputs']}"
    )
    for own in run.files:
        for clock, measured in own.clocks.items():
            yield (document["device"]["name"], own.name, clock, place), _point(document, measured)


def _point(document: Mapping[str, Any], measured: MeasuredClock) -> HistoryPoint:
    medians = [nearest_rank(one, 50) for one in measured.rounds]
    return HistoryPoint(
        started=document["started"],
        revision=_revision(document),
        p50=measured.percentile(50),
        low=nearest_rank(medians, 10),
        high=nearest_rank(medians, 90),
        stable=not measured.reasons,
    )


def _revision(document: Mapping[str, Any]) -> str:
    return str(document.get("revision") or document["environment"]["commit"])
