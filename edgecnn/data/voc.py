"""Loads Pascal VOC XML: Annotations/*.xml with JPEGImages/ or images/, splits in ImageSets/Main/*.txt (Everingham et al. 2010).

The coordinates xmin, ymin, xmax, ymax are used unchanged, in pixels.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from edgecnn.data.boxes import BoxList
from edgecnn.data.image_files import ImageError, by_stem, image_size, read_image
from edgecnn.data.sample import Dataset, Problem, Sample

ANNOTATIONS = ("Annotations", "annotations")
IMAGES = ("JPEGImages", "images", "Images")
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class _Object:
    """The text of one <object>, and the line where it begins."""

    name: str
    corners: tuple[str, ...]
    difficult: bool
    line: int


def fits(path: Path) -> bool:
    """Whether the folder, or exactly one sub-folder, contains XML annotations and images."""
    return _root(path) is not None


def splits(path: Path) -> tuple[str, ...]:
    """The names of the lists in ImageSets/Main, without those of single classes (dog_train)."""
    root = _root(path)
    lists = sorted((root / "ImageSets" / "Main").glob("*.txt")) if root else []
    return tuple(file.stem for file in lists if file.stem in ("train", "val", "trainval", "test") or "_" not in file.stem)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples by file name; classes are all names that any annotation uses, in alphabetical order, or ``labels``."""
    root = _root(path)
    assert root is not None
    files = {file.stem: file for file in sorted(_folder(root, ANNOTATIONS).glob("*.xml"))}
    problems: list[Problem] = []
    objects = {stem: _objects(file, problems) for stem, file in files.items()}
    labels = labels or tuple(sorted({one.name for found in objects.values() for one in found or () if one.name}))
    images = by_stem(_folder(root, IMAGES))
    samples = []
    for stem in _listed(root, split) if split else sorted(files.keys() | images.keys()):
        if stem not in files or stem not in images:
            problems.append(Problem(stem, "no annotation for this image" if stem in images else "no image of this name"))
        elif (found := objects[stem]) is not None and (sample := _sample(images[stem], files[stem], found, labels, problems)):
            samples.append(sample)
    return Dataset(path.resolve().name, "detect", labels, samples, tuple(problems), split or "")


def _root(path: Path) -> Path | None:
    if not path.is_dir():
        return None
    places = [place for place in (path, *path.iterdir()) if place.is_dir() and _is_root(place)]
    return path if path in places else places[0] if len(places) == 1 else None


def _is_root(place: Path) -> bool:
    return any(next((place / name).glob("*.xml"), None) for name in ANNOTATIONS) and any(
        (place / name).is_dir() for name in IMAGES
    )


def _folder(root: Path, names: tuple[str, ...]) -> Path:
    return next(root / name for name in names if (root / name).is_dir())


def _listed(root: Path, split: str) -> list[str]:
    lines = (root / "ImageSets" / "Main" / f"{split}.txt").read_text(encoding="utf-8-sig").splitlines()
    # lists of single classes have a second column: 1, 0 or -1
    return [line.split()[0] for line in lines if line.strip()]


def _objects(file: Path, problems: list[Problem]) -> list[_Object] | None:
    """The objects of one file; None and a problem if it is not valid XML."""
    data = file.read_bytes()
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as some Windows tools save XML
    text = data.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace")
    try:
        tree = ElementTree.fromstring(text.strip())
    except ElementTree.ParseError as error:
        problems.append(Problem(file.name, f"no XML that can be read ({error})"))
        return None
    # ElementTree keeps no line numbers: they are found in the text, in the same order as the elements
    lines = [text.count("\n", 0, found.start()) + 1 for found in re.finditer(r"<object[\s>]", text)]
    return [
        _Object(
            (one.findtext("name") or "").strip(),
            tuple((one.findtext(f"bndbox/{corner}") or "").strip() for corner in CORNERS),
            (one.findtext("difficult") or "0").strip() == "1",
            line,
        )
        for one, line in zip(tree.iter("object"), lines, strict=False)
    ]


def _sample(image: Path, file: Path, objects: list[_Object], labels: tuple[str, ...], problems: list[Problem]) -> Sample | None:
    try:
        boxes = BoxList(*image_size(image), problems)
    except ImageError as error:
        problems.append(Problem(image.name, error.reason))
        return None
    for one in objects:
        where = f"{file.name}:{one.line}"
        if one.name not in labels:
            problems.append(Problem(where, f"the class {one.name!r}, which is none of {', '.join(labels)}; left out"))
            continue
        try:
            x1, y1, x2, y2 = (float(corner) for corner in one.corners)
        except ValueError:
            problems.append(Problem(where, f"a box with a coordinate that is no number: {one.corners}; left out"))
            continue
        # VOC's evaluation ignores difficult objects, as COCO's does crowds
        boxes.add((x1, y1, x2, y2), labels.index(one.name), where, crowd=one.difficult)
    return Sample(image.name, partial(read_image, image), boxes=boxes.done())
