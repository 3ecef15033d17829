"""Groups from a column of a CSV file whose first column names images."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from edgecnn.data.address import parse_address
from edgecnn.errors import InputError
from edgecnn.text_files import read_text
from edgecnn.trust.groups.group_key import GroupKey

NO_VALUE = "(no value)"


def column_values(key: GroupKey, address: str) -> Mapping[str, str]:
    """The value of each image by its name in the first column, {} for keys that are no column.

    Raises ``InputError`` where no file has the column.
    """
    if key.kind != "column":
        return {}
    files = [key.file] if key.file is not None else _beside(address)
    for file in files:
        if not file.is_file():
            raise InputError(f"--group-by: the file {file} does not exist", "check the path")
        rows = [row for row in csv.reader(read_text(file, str(file)).splitlines()) if row]
        if rows and key.column in rows[0][1:]:
            place = rows[0].index(key.column)
            return {row[0].strip(): row[place].strip() or NO_VALUE for row in rows[1:] if len(row) > place}
    if key.file is not None:
        problem = f"{key.file.name} has no column {key.column!r}"
    else:
        problem = f"no CSV file beside the data has a column {key.column!r}"
    raise InputError(f"--group-by: {problem}", "name FILE.csv:COLUMN, or folder, class, size, brightness, position or colour")


def value_of(values: Mapping[str, str], name: str) -> str:
    """The value of the image ``name``: by its path in the dataset, by its file name, or by that without suffix."""
    path = Path(name)
    return next((values[word] for word in (name, path.name, path.stem) if word in values), NO_VALUE)


def _beside(address: str) -> list[Path]:
    place = parse_address(address).path
    folder = place if place.is_dir() else place.parent
    return sorted(folder.glob("*.csv")) if folder.is_dir() else []
