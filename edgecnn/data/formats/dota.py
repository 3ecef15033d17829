"""Loads DOTA datasets of rotated boxes (Xia et al. 2018, arXiv:1711.10398): images/ beside labelTxt/, a text file for each image.

``imagesource:`` and ``gsd:`` may be the first lines; each other line is ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult``, in pixels.
Layouts: ROOT/images with ROOT/labelTxt; ROOT/SPLIT/images with ROOT/SPLIT/labelTxt. The folder of labels may also be called
labelTxt-v1.0 and alike, or labels. Objects that are difficult are ignored, as DOTA's evaluation does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from edgecnn.data.boxes import BoxList, has_extent
from edgecnn.data.formats.left_out import other_files
from edgecnn.data.formats.other_signatures import DOTA
from edgecnn.data.image_files import ImageError, by_stem, image_size, list_images, read_image
from edgecnn.data.paths import sub_folders, visible
from edgecnn.data.problems import short
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import split_folders
from edgecnn.text_files import decode_text

IMAGES = "images"
LABELS = re.compile(r"labeltxt.*|labels", re.IGNORECASE)
HEADER = re.compile(r"(?:imagesource|gsd)\s*:.*", re.IGNORECASE)
NUMBERS, EASY = 8, ("0", "1", "2")  # difficult is 0, 1, or 2 for objects that are too small to be labelled
LOOKED_AT, HEAD = 100, 4096

Row = tuple[int, str]  # the number of a line, from 1, and its text


def evidence(path: Path) -> str:
    """The folders of images and of label files with rows of DOTA: of the folder itself, or of each split."""
    parts = _parts(path)
    where = ", ".join(name for name in parts if name)
    layout = next((f"{IMAGES}/ and {labels.name}/" for _, labels in parts.values()), "")
    return f"{layout} of {where}, rows of DOTA" if where else layout and f"{layout}, rows of DOTA"


def splits(path: Path) -> tuple[str, ...]:
    """The folders of splits."""
    return tuple(name for name in _parts(path) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples by file name, with corners in pixels; classes are all names in any split, in alphabetical order, or ``labels``."""
    parts = _parts(path)
    rows = {file: _rows(file) for _, folder in parts.values() for file in _texts(folder)}
    # of all splits: a class that one split lacks must not shift the ids of the others
    labels = labels or tuple(sorted({name for lines in rows.values() for _, text in lines if (name := _class_of(text))}))
    problems: list[Problem] = []
    samples: list[Sample] = []
    chosen = [parts[split]] if split else list(parts.values())
    for images, folder in chosen:
        own = {file: rows[file] for file in _texts(folder)}
        samples += _samples(images, own, path, labels, problems)
    left_out = other_files({folder for part in chosen for folder in part}, {".txt"})
    return Dataset(path.resolve().name, "detect", labels, samples, tuple(problems), split or "", left_out=left_out)


def _parts(path: Path) -> dict[str, tuple[Path, Path]]:
    """The folders of images and of labels by split; "" is the one of a dataset without splits."""
    if not path.is_dir():
        return {}
    if part := _part(path):
        return {"": part}
    return {name: part for name, folder in split_folders(path).items() if (part := _part(folder))}


def _part(place: Path) -> tuple[Path, Path] | None:
    if not (place / IMAGES).is_dir():
        return None
    folders = (folder for folder in sub_folders(place) if LABELS.fullmatch(folder.name))
    return next(((place / IMAGES, folder) for folder in folders if _has_rows(folder)), None)


def _has_rows(folder: Path) -> bool:
    return any(map(_is_dota, islice(_texts(folder), LOOKED_AT)))


def _is_dota(file: Path) -> bool:
    """Whether a file begins with DOTA's header or a row of it."""
    with file.open("rb") as stream:
        first = next(iter(decode_text(stream.read(HEAD), "replace").splitlines()), "")
    return first.lower().startswith("imagesource:") or DOTA.fullmatch(first) is not None


def _texts(folder: Path) -> list[Path]:
    return sorted(Path(one.path) for one in visible(folder) if one.is_file() and one.name.lower().endswith(".txt"))


def _rows(file: Path) -> list[Row]:
    """The lines of a label file that are neither blank nor of the header."""
    lines = enumerate(decode_text(file.read_bytes(), "replace").splitlines(), 1)
    return [(number, text) for number, line in lines if (text := line.strip()) and not HEADER.fullmatch(text)]


def _words(text: str) -> tuple[list[str], str, str]:
    """The numbers of a row, its class, which begins with a letter, "" if there is none, and whether it is difficult ("0" if not said)."""
    words = text.replace(",", " ").split()
    numbers, rest = words[:NUMBERS], words[NUMBERS:]
    difficult = rest.pop() if len(rest) > 1 and rest[-1] in EASY else "0"
    name = " ".join(rest)
    return numbers, name if name[:1].isalpha() else "", difficult


def _class_of(text: str) -> str:
    numbers, name, _ = _words(text)
    return name if _points(numbers) else ""


def _points(words: list[str]) -> tuple[tuple[float, float], ...]:
    """Four points; () where the words are no eight numbers."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        return ()
    return tuple(zip(values[::2], values[1::2], strict=True)) if len(values) == NUMBERS else ()


def _samples(
    images: Path, rows: dict[Path, list[Row]], top: Path, labels: tuple[str, ...], problems: list[Problem]
) -> Iterator[Sample]:
    by_name = {file.stem: file for file in rows}
    for stem in sorted(by_name.keys() - by_stem(images).keys()):
        problems.append(Problem(_shown(by_name[stem], top), "no image of this name"))
    for image in list_images(images):
        name = _shown(image, top)
        if image.stem not in by_name:  # background has an empty file
            problems.append(Problem(name, "no label file for this image; left out"))
            continue
        try:
            boxes = BoxList(*image_size(image), problems)
        except ImageError as error:
            problems.append(Problem(name, error.reason))
            continue
        file = by_name[image.stem]
        for number, text in rows[file]:
            _add(text, f"{_shown(file, top)}:{number}", labels, boxes)
        yield Sample(name, partial(read_image, image), boxes=boxes.done())


def _add(text: str, where: str, labels: tuple[str, ...], boxes: BoxList) -> None:
    numbers, name, difficult = _words(text)
    points = _points(numbers)
    if not points or not name:
        what = f"a line that is not x1 y1 x2 y2 x3 y3 x4 y4 class difficult: {short(text)!r}; left out"
        boxes.problems.append(Problem(where, what))
        return
    if name not in labels:
        what = f"the class {short(name)!r}, which is none of {short(', '.join(labels))}; left out"
        boxes.problems.append(Problem(where, what))
        return
    if not has_extent(points):
        boxes.problems.append(
            Problem(where, f"a box without extent or with a coordinate that is no number: {short(text)!r}; left out")
        )
        return
    xs, ys = zip(*points, strict=True)
    boxes.add((min(xs), min(ys), max(xs), max(ys)), labels.index(name), where, crowd=difficult != "0", corners=points)


def _shown(file: Path, top: Path) -> str:
    return "/".join(part for part in file.relative_to(top).parts if part != IMAGES)
