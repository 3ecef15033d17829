"""Loads YOLO txt datasets: images/ beside labels/, one row per object; see ``yolo_rows`` for the rows.

Layouts: ROOT/images; ROOT/SPLIT/images; ROOT/images/SPLIT; sub-folders of these; label files beside the images (``darknet``); and what
train, val and test of a data.yaml or obj.data name: folders, lists of folders, or files with one image per line. Names come from
data.yaml, classes.txt or the caller.
An image without a label file has no objects, as the format defines it; how many there are is said in ``Dataset.notes``.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from edgecnn.counts import counted
from edgecnn.data.boxes import BoxList, Corners, has_extent
from edgecnn.data.formats.darknet import NAME_FILES as DARKNET_NAME_FILES
from edgecnn.data.formats.darknet import folders_with_labels_beside, is_list, read_obj_data
from edgecnn.data.formats.yolo_layout import NAME_FILES, Layout, Part, are_of_another_format, usual_folders
from edgecnn.data.formats.yolo_rows import BOX, LabelRow, Meaning, RowRule, around, read_rows
from edgecnn.data.formats.yolo_yaml import FIRST, DataYaml, read_data_yaml
from edgecnn.data.image_files import ImageError, image_size, read_image
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.errors import InputError
from edgecnn.labels import read_label_file

# Frames of one clip look alike and must stay on one side of a split: "12_mp4-10_jpg.rf.<hash>" is frame 10 of clip 12.
CLIP = re.compile(r"(?P<clip>.*)_(?:mp4|mov|avi|mkv|m4v)-\d+", re.IGNORECASE)
PIXELS = 2.0  # coordinates above this are no fractions of the image size, not even of a box that reaches outside

MAX_CLASSES = 10_000  # a larger class id in a dataset without names is an error in it


def evidence(path: Path) -> str:
    """The folders of images and labels: of the folder itself, or of each split, or those that data.yaml names."""
    if not path.is_dir():
        return ""
    if found := usual_folders(path):
        if are_of_another_format(found.values()):
            return ""
        where = ", ".join(name for name in found if name)
        apart = next(iter(found.values())) not in folders_with_labels_beside(path).values()
        return f"{'images/ and labels/' if apart else '.txt files beside the images'}{f' of {where}' if where else ''}"
    # another YAML file may belong to a dataset of any other kind
    if read_obj_data(path) is None and not any((path / name).is_file() for name in FIRST):
        return ""
    layout = _layout(path)
    return layout.yaml.file.name if layout.yaml and any(layout.label_files(part) for part in layout.parts.values()) else ""


def splits(path: Path) -> tuple[str, ...]:
    """The splits that have a folder of images and one of labels, or are in data.yaml."""
    return tuple(name for name in _layout(path).parts if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the order of split and file name, boxes in pixels; ``group`` is the video clip if the file name contains it."""
    layout = _layout(path)
    labels = labels or _names(path, layout.yaml)
    parts = [layout.parts[name] for name in ([split] if split else layout.parts)]
    rule = row_rule(layout)
    problems, counts = layout.problems, _Counts()
    samples = [sample for part in parts for sample in _samples(layout, part, len(labels), rule, problems, counts)]
    if not split or split == next(iter(layout.parts)):
        problems += _outside(layout)
    notes = counts.notes(problems)
    return Dataset(path.resolve().name, "detect", labels, samples, tuple(problems), split or "", notes=notes)


def row_rule(layout: Layout) -> RowRule:
    """What rows with more than a box mean in a dataset."""
    yaml = layout.yaml

    def files() -> Iterator[Path]:
        for part in layout.parts.values():
            yield from layout.label_files(part)

    return RowRule(yaml.key_points if yaml else None, yaml is not None, files)


class MissingNamesError(InputError):
    """A YOLO dataset has no class names, and the caller gave none."""


def _layout(path: Path) -> Layout:
    return Layout(path, read_data_yaml(path))


def _names(path: Path, yaml: DataYaml | None) -> tuple[str, ...]:
    if yaml is not None and yaml.names:
        return yaml.names
    places = (path, path / "labels", *usual_folders(path).values())
    for file in (folder / name for folder in places for name in (*NAME_FILES, *DARKNET_NAME_FILES)):
        if file.is_file():
            return read_label_file(file)
    raise MissingNamesError(
        f"{path} has no class names: neither a data.yaml with names nor {', '.join(NAME_FILES)}",
        "write classes.txt with one name per line, or give them with labels=a,b,c (evaluate: --data-labels a,b,c)",
    )


class _Counts:
    """Counts images and label files while they are read, for the notes."""

    def __init__(self) -> None:
        self.images = 0
        self.unlabelled = 0

    def notes(self, problems: list[Problem]) -> tuple[str, ...]:
        """One note on images without label files; where no image has one, a problem instead."""
        if not self.unlabelled:
            return ()
        if self.unlabelled == self.images:
            problems.append(Problem("labels", f"no label file for any of {self.images:,} images"))
            return ()
        verb = "image has" if self.unlabelled == 1 else "images have"
        return (f"{self.unlabelled:,} of {self.images:,} {verb} no label file: background without objects",)


def _samples(
    layout: Layout, part: Part, classes: int, rule: RowRule, problems: list[Problem], counts: _Counts
) -> Iterator[Sample]:
    images = layout.images(part)
    files = {image: layout.label_file(image) for image in images}
    for file in sorted(set(layout.label_files(part)) - set(files.values())):
        if not is_list(file):
            problems.append(Problem(_shown(file, layout.folder), "no image of this name"))
    for image in images:
        name = _shown(image, layout.folder)
        try:
            boxes = BoxList(*image_size(image), problems)
        except ImageError as error:
            problems.append(Problem(name, error.reason))
            continue
        counts.images += 1
        if label_file := files[image]:
            read_boxes(label_file, _shown(label_file, layout.folder), classes, boxes, rule)
        else:
            counts.unlabelled += 1
        clip = CLIP.match(image.stem)
        yield Sample(name, partial(read_image, image), boxes=boxes.done(), group=clip["clip"] if clip else "")


def read_boxes(file: Path, shown: str, classes: int, boxes: BoxList, rule: RowRule) -> None:
    """Add the boxes of a label file, called ``shown`` in problems, of a dataset with so many ``classes``."""
    for row in read_rows(file):
        where = f"{shown}:{row.number}"
        reason = _wrong(row, classes, rule)
        if reason:
            boxes.problems.append(Problem(where, f"{reason}; left out"))
            continue
        values = row.values or ()
        x1, y1, x2, y2 = around(values, rule.meaning(len(values)))
        corners = _rotated(values, boxes) if rule.meaning(len(values)) is Meaning.POLYGON else None
        edges = (x1 * boxes.width, y1 * boxes.height, x2 * boxes.width, y2 * boxes.height)
        boxes.add(edges, int(row.class_id), where, corners=corners)


def _rotated(values: Sequence[float], boxes: BoxList) -> Corners | None:
    """The corners in pixels of a rotated box: a polygon of four points."""
    points = tuple((x * boxes.width, y * boxes.height) for x, y in zip(values[::2], values[1::2], strict=True))
    return points if len(points) == 4 and has_extent(points) else None


def _wrong(row: LabelRow, classes: int, rule: RowRule) -> str:
    """Why a row is left out; "" where it is not."""
    if row.values is None:
        return f"a line that is not all numbers: {row.text[:80]!r}"
    if not row.class_id.is_integer() or not 0 <= row.class_id < classes:
        return f"the class {row.class_id:g} where there are {classes} (0 to {classes - 1})"
    if rule.meaning(len(row.values)) not in (Meaning.BOX, Meaning.POLYGON):
        return rule.explain(len(row.values))
    if PIXELS < max(row.values[:BOX]) < float("inf"):
        return f"coordinates in pixels, not fractions of the image size: {row.text[:80]}"
    return ""


def _outside(layout: Layout) -> Iterator[Problem]:
    """Images in images/ that belong to no split; where a list file makes the splits, its author left them out on purpose."""
    if any(part.lists for part in layout.parts.values()):
        return
    folders = Counter(_shown(image.parent, layout.folder) for image in layout.outside())
    for folder, count in sorted(folders.items()):
        yield Problem(folder, f"{counted(count, 'image')} of no split; left out")


def _shown(file: Path, top: Path) -> str:
    return os.path.relpath(file, top) if top in file.parents else str(file)


def numbered_names(path: Path) -> tuple[str, ...]:
    """ "class 0", "class 1", ... for a YOLO dataset without class names, as many as its label files use; () for any other."""
    if not evidence(path):
        return ()
    layout = _layout(path)
    try:
        _names(path, layout.yaml)
    except MissingNamesError:
        files = (file for part in layout.parts.values() for file in layout.label_files(part))
        ids = (row.class_id for file in files for row in read_rows(file))
        most = max((int(value) for value in ids if value.is_integer() and 0 <= value < MAX_CLASSES), default=0)
        return tuple(f"class {number}" for number in range(most + 1))
    return ()
