"""Recognizes well-known dataset formats that have no reader here, so that a refusal says what the files look like.

Looks at names and first bytes of a few files in the folder and in those below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from edgecnn.data.formats import other_signatures as signatures
from edgecnn.data.formats.coco_files import IMAGE_FOLDERS
from edgecnn.data.image_files import by_stem, list_images
from edgecnn.data.paths import folders_below, sub_folders, visible
from edgecnn.text_files import decode_text

FOLDERS, DEPTH = 60, 2
FILES = 3  # of each suffix in a folder
HEAD = 8192
TABLES = (".csv", ".tsv", ".txt")
CONVERT = "convert it to COCO, Pascal VOC or YOLO"


@dataclass(frozen=True, slots=True)
class OtherFormat:
    """A format by its ``title``, the ``file`` or folder that shows it, relative to the dataset, and what to do."""

    title: str
    file: str
    fix: str = CONVERT


def labels_of_other_format(path: Path) -> OtherFormat | None:
    """The format of label files and masks, which may lie beside images; None where there are none."""
    for place in _places(path):
        if place != path and _named_like_masks(place) and any(map(list_images, folders_below(place))):
            return OtherFormat("images with segmentation masks", f"{place.relative_to(path)}/")
        for file in _files(place):
            check = signatures.LABELS.get(file.suffix.lower())
            if check and (found := check(file.name, _head(file))):
                title, _, fix = found.partition("; ")
                if found in signatures.APART and file.stem in by_stem(place):
                    continue
                return OtherFormat(title, str(file.relative_to(path)), fix or CONVERT)
    return None


def table_of_classes(path: Path) -> OtherFormat | None:
    """A CSV file or list that names images and something about each of them; None where there is none."""
    tables = [file for place in _places(path) for file in _files(place) if file.suffix.lower() in TABLES]
    names = {image.name for place in _places(path) for image in list_images(place)} if tables else set()
    stems = {PurePath(name).stem for name in names}
    for file in tables:
        # words of a text may be equal to stems
        known = names if file.suffix.lower() == ".txt" else names | stems
        if signatures.names_an_image(_head(file), known):
            fix = "sort the images into a folder for each class, or write a values.csv"
            return OtherFormat("images with a table about them", str(file.relative_to(path)), fix)
    return None


def container(path: Path) -> OtherFormat | None:
    """Files that hold images inside, such as TFRecord or an archive; None where there are none."""
    for place in _places(path):
        names = sorted(entry.name for entry in visible(place) if entry.is_file())
        for name in names:
            if title := signatures.container(name, names):
                fix = "unpack it first" if title == signatures.ARCHIVE else "write its images and labels to files of a known kind"
                return OtherFormat(title, str((place / name).relative_to(path)), fix)
    return None


def _named_like_masks(place: Path) -> bool:
    if place.name.lower() in signatures.MASKS:
        return True
    beside = sub_folders(place.parent) if place.name.lower() in signatures.MASKS_BESIDE_IMAGES else ()
    return any(folder.name.lower() in IMAGE_FOLDERS for folder in beside)


def _places(path: Path) -> list[Path]:
    """The folder and the first ones below it, level by level."""
    found = level = [path] if path.is_dir() else []
    for _ in range(DEPTH):
        level = [below for place in level for below in sub_folders(place)][: FOLDERS - len(found)]
        found = found + level
    return found


def _files(place: Path) -> Iterator[Path]:
    """The first files of each suffix of text in a folder, by name."""
    names = (entry for entry in visible(place) if entry.name.lower().endswith(tuple(signatures.LABELS)))
    files = sorted(Path(entry.path) for entry in names if entry.is_file())
    for suffix in signatures.LABELS:
        yield from islice((file for file in files if file.suffix.lower() == suffix), FILES)


def _head(file: Path) -> str:
    with file.open("rb") as stream:
        return decode_text(stream.read(HEAD), "replace")
