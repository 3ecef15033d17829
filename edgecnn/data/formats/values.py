"""Loads regression datasets: images and a values.csv with the header ``file,NAME`` and a row such as ``a.jpg,12.5`` per image.

Also ROOT/SPLIT/values.csv. NAME is the name of the value, such as angle; ``file`` is a path relative to the folder of the .csv
or to images/ in it. Images that are not listed are not used.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from edgecnn.data.formats import csv_table
from edgecnn.data.problems import short
from edgecnn.data.sample import Dataset, Problem
from edgecnn.errors import InputError

FILE, SECOND = "values.csv", "value"


def evidence(path: Path) -> str:
    """values.csv in the folder or in folders with the name of a split."""
    return csv_table.evidence(path, FILE)


def splits(path: Path) -> tuple[str, ...]:
    """The splits that have a values.csv."""
    return tuple(name for name in csv_table.files(path, FILE) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the order of the file; the one label is the name of the value, or the first of ``labels``."""
    files = csv_table.files(path, FILE)
    problems: list[Problem] = []
    chosen = [split] if split else list(files)
    tables = [csv_table.read(files[name], path, SECOND) for name in chosen]
    names = list(dict.fromkeys(name for name, _ in tables))
    if len(names) > 1:
        raise InputError(
            f"the {FILE} files of {path} name different values: {', '.join(names)}", "write the same header into all"
        )
    samples = [
        sample
        for name, (_, rows) in zip(chosen, tables, strict=True)
        for sample in csv_table.samples(files[name], path, rows, problems, SECOND, _value)
    ]
    used = {sample.name for sample in samples}
    return Dataset(
        path.resolve().name,
        "regress",
        (labels or (names[0],))[:1],
        samples,
        tuple(problems),
        split or "",
        left_out=csv_table.left_out(path, [files[name].parent for name in chosen], used, FILE),
    )


def _value(cell: str) -> dict[str, Any]:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{short(cell)!r}, which is no finite number")
    return {"value": value}
