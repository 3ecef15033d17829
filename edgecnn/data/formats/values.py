"""Loads regression datasets: images and a values.csv with the header ``file,NAME`` and a row such as ``a.jpg,12.5`` per image.

Also ROOT/SPLIT/values.csv. NAME is the name of the value, such as angle; ``file`` is a path relative to the folder of the .csv
or to images/ in it. Images that are not listed are not used.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.paths import is_file
from edgecnn.data.problems import short
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import split_folders
from edgecnn.errors import InputError
from edgecnn.text_files import read_text

FILE = "values.csv"


def evidence(path: Path) -> str:
    """values.csv in the folder or in folders with the name of a split."""
    found = _files(path) if path.is_dir() else {}
    where = ", ".join(name for name in found if name)
    return f"{FILE} in {where}" if where else FILE if found else ""


def splits(path: Path) -> tuple[str, ...]:
    """The splits that have a values.csv."""
    return tuple(name for name in _files(path) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the order of the file; the one label is the name of the value, or the first of ``labels``."""
    files = _files(path)
    problems: list[Problem] = []
    chosen = [split] if split else list(files)
    tables = [_read(files[name], path) for name in chosen]
    names = list(dict.fromkeys(name for name, _ in tables))
    if len(names) > 1:
        raise InputError(
            f"the {FILE} files of {path} name different values: {', '.join(names)}", "write the same header into all"
        )
    samples = [
        sample for name, (_, rows) in zip(chosen, tables, strict=True) for sample in _samples(files[name], path, rows, problems)
    ]
    return Dataset(
        path.resolve().name,
        "regress",
        (labels or (names[0],))[:1],
        samples,
        tuple(problems),
        split or "",
        left_out=_left_out(path, [files[name].parent for name in chosen], {sample.name for sample in samples}),
    )


def _left_out(top: Path, folders: list[Path], used: set[str]) -> dict[str, int]:
    """Images without a row, and other files."""
    places = [place for folder in folders for place in (folder, folder / "images") if place.is_dir()]
    unlisted = sum(str(image.relative_to(top)) not in used for place in places for image in list_images(place))
    return {**other_files(places, {FILE}), "images without a row": unlisted}


def _files(path: Path) -> dict[str, Path]:
    """values.csv by split; "" is that of a dataset without splits."""
    found = {name: folder / FILE for name, folder in split_folders(path).items() if (folder / FILE).is_file()}
    return found or ({"": path / FILE} if (path / FILE).is_file() else {})


def _read(file: Path, top: Path) -> tuple[str, list[tuple[int, list[str]]]]:
    """The name of the value, and the rows that are not empty, with their line numbers."""
    text = read_text(file, str(file))
    try:
        reader = csv.reader(text.splitlines())
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"can't read {file} as rows of file,value: {error}", "save it as UTF-8 with commas") from error
    header = rows[0][1] if rows else []
    if len(header) != 2 or header[0].lower() != "file" or not header[1]:
        problem = f"{file.relative_to(top.parent)} begins with {short(','.join(header))!r} instead of a header such as file,value"
        raise InputError(problem, "write it as the first line")
    return header[1], rows[1:]


def _samples(file: Path, top: Path, rows: list[tuple[int, list[str]]], problems: list[Problem]) -> Iterator[Sample]:
    shown = str(file.relative_to(top))
    seen: set[Path] = set()
    for line, row in rows:
        try:
            image, value = _parsed(file.parent, row)
            # a second value for an image would contradict the first
            if image in seen:
                raise ValueError(f"{short(row[0])} for a second time")
            image_size(image)
        except (ImageError, ValueError) as error:
            reason = error.reason if isinstance(error, ImageError) else error
            problems.append(Problem(f"{shown}:{line}", f"{reason}; left out"))
            continue
        seen.add(image)
        yield Sample(_name(image, top), partial(read_image, image), value=value)


def _parsed(folder: Path, row: list[str]) -> tuple[Path, float]:
    """The image and its value; raises ``ValueError`` that describes what is wrong in the row."""
    if len(row) != 2:
        raise ValueError(f"{len(row)} columns instead of file,value")
    try:
        value = float(row[1])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{short(row[1])!r}, which is no finite number")
    names = dict.fromkeys((row[0], row[0].replace("\\", "/")))
    places = [place / name for name in names for place in (folder, folder / "images")]
    image = next((path for path in places if is_file(path)), None)
    if image is None or not row[0]:
        raise ValueError(f"{short(row[0])!r}, and no such file")
    return image, value


def _name(image: Path, top: Path) -> str:
    """The path in the dataset; a row may also name an image elsewhere."""
    return str(image.relative_to(top)) if image.is_relative_to(top) else str(image)
