"""What darknet and its exporters add to the YOLO layouts: label files beside the images, and obj.data with lists and names.

obj.data has lines such as ``train = data/train.txt`` and ``names = data/obj.names``; the paths are those of the machine it was made on.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from edgecnn.data.image_files import by_stem
from edgecnn.data.paths import sub_folders, visible
from edgecnn.data.split_names import part_in, split_folders
from edgecnn.text_files import decode_text

NAME_FILES = ("_darknet.labels",)
# Lists of images; in a folder with label files they are none of these.
LISTS = ("train.txt", "valid.txt", "val.txt", "test.txt")
KEYS = {"train": "train", "valid": "val", "val": "val", "test": "test"}
LINE = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*")
# A class and the four numbers of a box, or more.
ROW = re.compile(r"\s*\d+(\s+[-+0-9.eE]+){4,}\s*")
FOLDERS = re.compile("obj.*|data", re.IGNORECASE)
LOOKED_AT = 100


def read_obj_data(folder: Path) -> tuple[Path, dict[str, str]] | None:
    """A .data file with the key train or valid, and its values by key (train, val, test, names, classes); None where there is none."""
    for file in sorted(folder.glob("*.data")):
        if not file.is_file() or file.name.startswith("."):
            continue
        lines = decode_text(file.read_bytes()[:65536], "replace").splitlines()
        values = {found[1].lower(): found[2] for line in lines if (found := LINE.fullmatch(line)) and found[2]}
        if values.keys() & KEYS.keys():
            return file, {KEYS.get(key, key): value for key, value in values.items()}
    return None


def folders_with_labels_beside(path: Path) -> dict[str, Path]:
    """The folders whose images have YOLO label files beside them, by split; "" is the one of a dataset without splits.

    They are the folder itself, folders of splits, and folders such as obj_train_data or data/obj.
    """
    if _has_labels(path):
        return {"": path}
    found = {name: folder for name, folder in split_folders(path).items() if _has_labels(folder)}
    others = [folder for folder in sub_folders(path) if FOLDERS.fullmatch(folder.name)]
    others += [folder for top in others for folder in sub_folders(top) if FOLDERS.fullmatch(folder.name)]
    others = [folder for folder in others if _has_labels(folder)]
    if found or not others:
        return found
    parts = {part_in(folder.name): folder for folder in others}
    if len(parts) == len(others) > 1 and "" not in parts:
        return parts
    return {"": others[0]} if len(others) == 1 else {}


def _has_labels(folder: Path) -> bool:
    """Whether one of the first text files that are called like an image holds a row of numbers."""
    if not folder.is_dir():
        return False
    texts = [folder / entry.name for entry in visible(folder) if entry.name.lower().endswith(".txt") and entry.is_file()]
    stems = by_stem(folder).keys() if texts else ()
    return any(map(_has_row, islice((text for text in sorted(texts) if text.stem in stems), LOOKED_AT)))


def _has_row(file: Path) -> bool:
    return ROW.fullmatch(first_line(file)) is not None


def first_line(file: Path) -> str:
    """The first line of a text file, "" if it is empty."""
    with file.open("rb") as stream:
        return next(iter(decode_text(stream.read(4096), "replace").splitlines()), "")


def names_of(folder: Path, value: str) -> Path | None:
    """The file with the class names that obj.data names, in the dataset's folder; None where it is not there."""
    name = value.replace("\\", "/").rpartition("/")[2]
    return folder / name if name and (folder / name).is_file() else None


def is_list(file: Path) -> bool:
    """Whether a text file is a list of images: it is called like one and has no row of numbers."""
    return file.name.lower() in LISTS and not _has_row(file)
