"""What the datasets of images with one CSV file share: the file in each split, its rows, the image that a row names."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.paths import is_file
from edgecnn.data.problems import short
from edgecnn.data.sample import Problem, Sample
from edgecnn.data.split_names import split_folders
from edgecnn.errors import InputError
from edgecnn.text_files import read_text

Rows = list[tuple[int, list[str]]]


def evidence(path: Path, name: str) -> str:
    """The file ``name`` in the folder or in folders with the name of a split; "" where there is none."""
    found = files(path, name) if path.is_dir() else {}
    where = ", ".join(split for split in found if split)
    return f"{name} in {where}" if where else name if found else ""


def files(path: Path, name: str) -> dict[str, Path]:
    """The file ``name`` by split; "" is that of a dataset without splits."""
    found = {split: folder / name for split, folder in split_folders(path).items() if (folder / name).is_file()}
    return found or ({"": path / name} if (path / name).is_file() else {})


def read(file: Path, top: Path, second: str) -> tuple[str, Rows]:
    """The title of the second column, and the rows that are not empty, with their line numbers.

    Raises ``InputError`` unless the header is ``file`` and one more; ``second`` is an example for it.
    """
    text = read_text(file, str(file))
    try:
        reader = csv.reader(text.splitlines())
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"can't read {file} as rows of file,{second}: {error}", "save it as UTF-8 with commas") from error
    header = rows[0][1] if rows else []
    if len(header) != 2 or header[0].lower() != "file" or not header[1]:
        problem = (
            f"{file.relative_to(top.parent)} begins with {short(','.join(header))!r} instead of a header such as file,{second}"
        )
        raise InputError(problem, "write it as the first line")
    return header[1], rows[1:]


def samples(
    file: Path, top: Path, rows: Rows, problems: list[Problem], second: str, parse: Callable[[str], dict[str, Any]]
) -> Iterator[Sample]:
    """A sample for each row; ``parse`` gives the ground truth of its second cell as fields of ``Sample``, or raises ``ValueError``."""
    shown = str(file.relative_to(top))
    seen: set[Path] = set()
    for line, row in rows:
        try:
            if len(row) != 2:
                raise ValueError(f"{len(row)} columns instead of file,{second}")
            truth = parse(row[1])
            image = _image(file.parent, row[0])
            # a second row for an image would contradict the first
            if image in seen:
                raise ValueError(f"{short(row[0])} for a second time")
            image_size(image)
        except (ImageError, ValueError) as error:
            reason = error.reason if isinstance(error, ImageError) else error
            problems.append(Problem(f"{shown}:{line}", f"{reason}; left out"))
            continue
        seen.add(image)
        yield Sample(_name(image, top), partial(read_image, image), **truth)


def left_out(top: Path, folders: list[Path], used: set[str], name: str) -> dict[str, int]:
    """Images without a row, and other files."""
    places = [place for folder in folders for place in (folder, folder / "images") if place.is_dir()]
    unlisted = sum(str(image.relative_to(top)) not in used for place in places for image in list_images(place))
    return {**other_files(places, {name}), "images without a row": unlisted}


def _image(folder: Path, name: str) -> Path:
    names = dict.fromkeys((name, name.replace("\\", "/")))
    places = [place / one for one in names for place in (folder, folder / "images")]
    image = next((path for path in places if is_file(path)), None)
    if image is None or not name:
        raise ValueError(f"{short(name)!r}, and no such file")
    return image


def _name(image: Path, top: Path) -> str:
    """The path in the dataset; a row may also name an image elsewhere."""
    return str(image.relative_to(top)) if image.is_relative_to(top) else str(image)
