"""Loads multi-label datasets: images and a labels.csv with the header ``file,labels`` and a row such as ``a.jpg,cat;dog`` per image.

Also ROOT/SPLIT/labels.csv. The labels of an image are separated by semicolons; there may be none. ``file`` is a path relative to the
folder of the .csv or to images/ in it. Images that are not listed are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.data.formats import csv_table
from edgecnn.data.problems import short
from edgecnn.data.sample import Dataset, Problem
from edgecnn.labels import normalize

FILE, SECOND = "labels.csv", "labels"


def evidence(path: Path) -> str:
    """labels.csv in the folder or in folders with the name of a split."""
    return csv_table.evidence(path, FILE)


def splits(path: Path) -> tuple[str, ...]:
    """The splits that have a labels.csv."""
    return tuple(name for name in csv_table.files(path, FILE) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the order of the file; the labels are ``labels``, else those of all splits in alphabetical order."""
    files = csv_table.files(path, FILE)
    problems: list[Problem] = []
    tables = {name: csv_table.read(file, path, SECOND)[1] for name, file in files.items()}
    # of all splits, so that a label that one of them lacks does not shift the numbers
    found = {label for rows in tables.values() for _, row in rows for label in _split(row[1] if len(row) == 2 else "")}
    names = labels or tuple(sorted(found))
    ids = {normalize(name): index for index, name in enumerate(names)}
    chosen = [split] if split else list(files)
    samples = [
        sample
        for name in chosen
        for sample in csv_table.samples(files[name], path, tables[name], problems, SECOND, lambda cell: _labels(cell, ids))
    ]
    used = {sample.name for sample in samples}
    return Dataset(
        path.resolve().name,
        "multilabel",
        names,
        samples,
        tuple(problems),
        split or "",
        left_out=csv_table.left_out(path, [files[name].parent for name in chosen], used, FILE),
    )


def _labels(cell: str, ids: Mapping[str, int]) -> dict[str, Any]:
    names = _split(cell)
    unknown = [name for name in names if normalize(name) not in ids]
    if unknown:
        raise ValueError(f"{short(unknown[0])!r}, which is none of the labels")
    return {"labels": frozenset(ids[normalize(name)] for name in names)}


def _split(cell: str) -> list[str]:
    return [name for part in cell.split(";") if (name := part.strip())]
