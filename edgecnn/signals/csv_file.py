"""Reads signals from CSV files: one sample per row, one channel per column; a column of times gives the sample rate."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgecnn.errors import InputError
from edgecnn.signals.recording import Recording, default_channel
from edgecnn.text_files import read_text
from edgecnn.types import Array

DELIMITERS = ",;\t "
TIME_COLUMNS = ("time", "time_s", "t", "timestamp", "seconds")
RATE_SAMPLES = 1000  # whose median distance in time gives the rate


def read_csv(path: Path, columns: Sequence[str] = (), rate_hz: float | None = None) -> Recording:
    """The signal of a CSV file, with ``columns`` by name or number from 1 (all but the time if empty).

    The first row may name the columns. Without ``rate_hz`` a column called time, time_s, t, timestamp or seconds gives it, in
    seconds. Raises ``InputError`` that names the line for a row that is not numbers.
    """
    lines = read_text(path).splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if first is None:
        raise InputError(f"{path} holds no samples", "check the file")
    rows = list(_rows(lines, first, _delimiter(lines[first])))
    names = _header(rows[0][1])
    values = _values(path, rows[1:] if names else rows)
    names = names or [default_channel(index) for index in range(values.shape[1])]
    if len(names) != values.shape[1]:
        raise InputError(f"{path} names {len(names)} columns, but its rows have {values.shape[1]}", "correct the first row")
    time = next((index for index, name in enumerate(names) if name.lower() in TIME_COLUMNS), None)
    kept = [_column(path, name, names) for name in columns] or [index for index in range(len(names)) if index != time]
    if not kept:
        raise InputError(f"{path} has no column but the time", "add a column with the signal")
    rate = rate_hz if rate_hz or time is None else _rate(values[:, time])
    return Recording(values[:, kept].astype(np.float32), rate, tuple(names[index] for index in kept))


def _delimiter(line: str) -> str:
    """The character that divides most parts of a line; a comma where there is none."""
    return max(DELIMITERS, key=lambda mark: line.strip().count(mark))


def _rows(lines: list[str], first: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number from 1 and cells of each row that is neither empty nor a comment."""
    for number, line in enumerate(lines[first:], first + 1):
        if line.strip() and not line.startswith("#"):
            cells = next(csv.reader([line.strip()], delimiter=delimiter, skipinitialspace=True))
            yield number, [cell.strip() for cell in cells]


def _header(cells: list[str]) -> list[str]:
    """The names in the first row; [] where it holds numbers."""
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return [cell or default_channel(index) for index, cell in enumerate(cells)]
    return []


def _values(path: Path, rows: list[tuple[int, list[str]]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    if not rows:
        raise InputError(f"{path} holds no samples", "check the file")
    width = len(rows[0][1])
    values = np.empty((len(rows), width))
    for index, (number, cells) in enumerate(rows):
        if len(cells) != width:
            raise InputError(f"line {number} of {path} has {len(cells)} values instead of {width}", "correct or remove it")
        try:
            values[index] = [float(cell) for cell in cells]
        except ValueError:
            raise InputError(f"line {number} of {path} has a value that is no number", "correct or remove it") from None
    if not np.isfinite(values).all():
        number = rows[int(np.flatnonzero(~np.isfinite(values).all(1))[0])][0]
        raise InputError(f"line {number} of {path} has a value that is not finite", "correct or remove it")
    return values


def _column(path: Path, name: str, names: list[str]) -> int:
    if name in names:
        return names.index(name)
    if name.isdigit() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise InputError(f"{path} has no column {name!r}", f"name some of {', '.join(names)}, or numbers from 1")


def _rate(times: Array) -> float | None:
    steps = np.diff(times[:RATE_SAMPLES])
    step = float(np.median(steps)) if len(steps) else 0.0
    return 1 / step if step > 0 else None
