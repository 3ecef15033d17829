"""Loads YOLO txt datasets: images/ beside labels/, one line "class cx cy w h" per box, relative to the image size, or a polygon.

Layouts: ROOT/images; ROOT/SPLIT/images; ROOT/images/SPLIT. Names come from data.yaml, classes.txt or the caller. An image without
a label file has no objects, as the format defines it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edgecnn.data.boxes import BoxList
from edgecnn.data.image_files import ImageError, by_stem, image_size, list_images, read_image
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.errors import InputError
from edgecnn.labels import read_label_file, read_yaml_names

SPLITS = ("train", "val", "valid", "validation", "test")
NAME_FILES = ("classes.txt", "obj.names", "labels.txt")
# Frames of one clip look alike and must stay on one side of a split: "12_mp4-10_jpg.rf.<hash>" is frame 10 of clip 12.
CLIP = re.compile(r"(?P<clip>.*)_(?:mp4|mov|avi|mkv|m4v)-\d+", re.IGNORECASE)


def fits(path: Path) -> bool:
    """Whether the folder, or a folder for each split, has images/ and labels/."""
    return path.is_dir() and bool(_parts(path))


def splits(path: Path) -> tuple[str, ...]:
    """The splits that have a folder of images and one of labels."""
    return tuple(name for name in _parts(path) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the order of split and file name, boxes in pixels; ``group`` is the video clip if the file name contains it."""
    labels = labels or _names(path)
    problems: list[Problem] = []
    parts = _parts(path)
    chosen = [split] if split else list(parts)
    samples = [sample for name in chosen for sample in _samples(path, *parts[name], labels, problems)]
    return Dataset(path.resolve().name, "detect", labels, samples, tuple(problems), split or "")


def _parts(path: Path) -> dict[str, tuple[Path, Path]]:
    """The folders of images and labels by split; "" is the part of a dataset without splits."""
    pairs = {name: (path / name / "images", path / name / "labels") for name in SPLITS}
    # both layouts may occur in one dataset: the first one found of a split is used
    pairs |= {name: (path / "images" / name, path / "labels" / name) for name in SPLITS if name not in _existing(pairs)}
    return _existing(pairs) or _existing({"": (path / "images", path / "labels")})


def _existing(pairs: dict[str, tuple[Path, Path]]) -> dict[str, tuple[Path, Path]]:
    return {name: pair for name, pair in pairs.items() if pair[0].is_dir() and pair[1].is_dir()}


def _names(path: Path) -> tuple[str, ...]:
    for file in sorted(path.glob("*.y*ml")):
        if names := read_yaml_names(file):
            return names
    for file in (folder / name for folder in (path, path / "labels") for name in NAME_FILES):
        if file.is_file():
            return read_label_file(file)
    raise InputError(
        f"{path} has no class names: neither a data.yaml with names nor {', '.join(NAME_FILES)}",
        "write classes.txt with one name per line, or give them with labels=a,b,c (evaluate: --data-labels a,b,c)",
    )


def _samples(top: Path, images: Path, labels: Path, names: tuple[str, ...], problems: list[Problem]) -> Iterator[Sample]:
    for stem in sorted({file.stem for file in labels.glob("*.txt") if file.name not in NAME_FILES} - by_stem(images).keys()):
        problems.append(Problem(str((labels / f"{stem}.txt").relative_to(top)), "no image of this name"))
    for image in list_images(images):
        name = str(image.relative_to(top))
        try:
            boxes = BoxList(*image_size(image), problems)
        except ImageError as error:
            problems.append(Problem(name, error.reason))
            continue
        file = labels / f"{image.stem}.txt"
        if file.is_file():
            _read_boxes(file, str(file.relative_to(top)), len(names), boxes)
        clip = CLIP.match(image.stem)
        yield Sample(name, partial(read_image, image), boxes=boxes.done(), group=clip["clip"] if clip else "")


def _read_boxes(file: Path, shown: str, classes: int, boxes: BoxList) -> None:
    # utf-8-sig: some Windows editors begin a file with a byte order mark
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{shown}:{number}"
        try:
            class_id, *values = (float(word) for word in line.split())
        except ValueError:
            boxes.problems.append(Problem(where, f"a line that is not all numbers: {line.strip()!r}; left out"))
            continue
        if not class_id.is_integer() or not 0 <= class_id < classes:
            boxes.problems.append(
                Problem(where, f"the class {class_id:g} where there are {classes} (0 to {classes - 1}); left out")
            )
        # four numbers are a box; three or more (x, y) pairs are a segmentation polygon, of which the bounding box is used
        elif len(values) == 4 or (len(values) >= 6 and len(values) % 2 == 0):
            boxes.add(_pixels(values, boxes.width, boxes.height), int(class_id), where)
        else:
            boxes.problems.append(Problem(where, f"{len(values) + 1} numbers instead of class, cx, cy, w, h; left out"))


def _pixels(values: list[float], width: float, height: float) -> tuple[float, float, float, float]:
    """Corners in pixels from centre and size, or from a polygon x1 y1 x2 y2 ..., both relative to the image size."""
    if len(values) == 4:
        cx, cy, w, h = values
        corners = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    else:
        corners = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    return corners[0] * width, corners[1] * height, corners[2] * width, corners[3] * height
