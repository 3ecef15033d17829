"""Finds the files of a COCO dataset: the annotation files of its splits, and the images that they name.

Layouts: ROOT/*.json and ROOT/annotations/*.json, where the name of a file may name its split (instances_train2017.json), and
ROOT/SPLIT/*.json beside the images of the split.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from edgecnn.data.paths import is_file, sub_folders
from edgecnn.data.split_names import part_in, split_folders
from edgecnn.errors import InputError

# Files of the same download that hold no boxes to detect.
OTHER_TASKS = ("captions_", "person_keypoints_", "image_info_", "stuff_", "panoptic_")
KEYS = (b'"annotations"', b'"images"', b'"categories"')
ANNOTATIONS = "annotations"
# Folders that hold all images of a dataset.
IMAGE_FOLDERS = {"images", "image", "imgs", "img", "jpegimages", "data"}
NAME_LENGTH = 3  # shorter names are in too many others
DRIVE = re.compile("^[A-Za-z]:")


def annotation_files(path: Path) -> dict[str, list[Path]]:
    """The COCO files of each split; "" is that of files whose names name none."""
    if path.is_file():
        return {"": [path]} if path.suffix.lower() == ".json" else {}
    found: dict[str, list[Path]] = defaultdict(list)
    for file in _coco_files(path):
        found[part_in(file.stem)].append(file)
    for name, folder in split_folders(path).items():
        if files := _coco_files(folder):
            found[name] += files
    if len(found) == 1 and len(next(iter(found.values()))) == 1 and next(iter(found.values()))[0].parent in _places(path):
        return {"": next(iter(found.values()))}  # one file is the whole dataset, whatever it is called
    order = ("", "train", "val", "test")
    return dict(sorted(found.items(), key=lambda item: order.index(part_in(item[0]))))


def choose(path: Path, split: str | None) -> list[Path]:
    """The file of a split, or the one of every split; raises ``InputError`` where several files are of the same."""
    found = annotation_files(path)
    chosen = {split: found.get(split, [])} if split else found
    if any(len(files) != 1 for files in chosen.values()) or ("" in chosen and len(chosen) > 1):
        names = ", ".join(str(file.relative_to(path)) for files in chosen.values() for file in files)
        raise InputError(f"{path} has several COCO files: {names}", "name the file itself, or a split that tells them apart")
    return [file for files in chosen.values() for file in files]


def _places(path: Path) -> tuple[Path, Path]:
    return path, path / ANNOTATIONS


def _coco_files(path: Path) -> list[Path]:
    """The annotation files in a folder and in annotations/ in it."""
    files = (file for place in _places(path) if place.is_dir() for file in sorted(place.iterdir()))
    return [file for file in files if file.suffix.lower() == ".json" and file.is_file() and _looks_like_coco(file)]


def _looks_like_coco(file: Path) -> bool:
    """Detected by the name, or by keys in the first or last 4 KiB: annotation files can have hundreds of megabytes."""
    if file.name.startswith((*OTHER_TASKS, ".")):
        return False
    with file.open("rb") as stream:
        head = stream.read(4096)
        stream.seek(max(file.stat().st_size - 4096, 0))
        # without zero bytes, which UTF-16 has in turn with ASCII characters
        keys = (head + stream.read()).replace(b"\0", b"")
    # a list is a file of results, or of another tool; Datumaro has categories, too
    is_other = (b'"items"' in keys and b'"images"' not in keys) or keys.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"[")
    return file.name.startswith("instances_") or (not is_other and any(key in keys for key in KEYS))


class ImageFinder:
    """Finds image files by ``file_name`` in the folders that COCO datasets use.

    The name is relative to a folder that the format does not name; it may also be a path of Windows or of another machine.
    A name that fits images in several folders is never guessed.
    """

    def __init__(self, file: Path) -> None:
        parent = file.parent
        self._roots = [parent, parent.parent] if parent.name.lower() == ANNOTATIONS else [parent]
        # annotations/../val2017 and images/val2017 are usual
        below = [place for root in self._roots for place in sub_folders(root)]
        below += [place for images in below if images.name.lower() in IMAGE_FOLDERS for place in sub_folders(images)]
        self._part = part_in(file.stem) or part_in(parent.name)
        # never an image of another split, which may have the same name
        self._below = [place for place in below if not self._part or part_in(place.name) in ("", self._part)]
        # a folder whose name is in the file's own: val2017 in instances_val2017.json
        self._named = {
            place
            for place in self._below
            if (len(place.name) >= NAME_LENGTH and place.name in file.stem) or part_in(place.name) == self._part != ""
        }
        self._listed: dict[Path, frozenset[str]] = {}
        self._holders: dict[str, list[Path]] = defaultdict(list)
        for place in dict.fromkeys([*self._roots, *self._below]):
            for name in self._names(place):
                self._holders[name].append(place)

    def __call__(self, name: str) -> tuple[Path, str]:
        """The file, and its name relative to its place; raises ``ValueError`` with a short reason where it is not clear."""
        if "\0" in name or not name.strip():
            raise ValueError("no name of a file")
        if Path(name).is_absolute() and is_file(Path(name)):
            return Path(name), PurePosixPath(name).name
        literal = PurePosixPath(name)
        portable = PurePosixPath(DRIVE.sub("", name.replace("\\", "/")))
        for relative in dict.fromkeys((literal, portable)):
            if not relative.is_absolute() and (found := self._find(relative)):
                return found, str(relative)
        parts = [part for part in portable.parts if part not in ("/", "..")]
        for start in range(0 if portable.is_absolute() else 1, len(parts)):
            if start and parts[start - 1] in self._holders:
                break  # this folder is here, so the image is missing in it
            tail = PurePosixPath(*parts[start:])
            if found := self._find(tail, moved_from=parts[start - 1] if start else ""):
                return found, str(tail)
        raise ValueError("no such file")

    def _find(self, relative: PurePosixPath, moved_from: str | None = None) -> Path | None:
        """The one file ``relative`` in the places; with ``moved_from`` only in folders that can be that folder of another machine."""
        if ".." in relative.parts:
            return next((root / relative for root in self._roots if is_file(root / relative)), None)
        if not relative.parts:
            return None
        places = [
            place for place in self._holders.get(relative.parts[0], ()) if relative.name in self._names((place / relative).parent)
        ]
        if moved_from is not None:
            places = [place for place in places if self._can_be(place, moved_from)]
        if len(places) < 2:
            return places[0] / relative if places else None
        # the folder of the file is what the format means; then one that has the file's split
        first = next((place for place in places if place in self._roots), None)
        named = [place for place in places if place in self._named]
        if first is None and len(named) != 1:
            where = ", ".join(place.name for place in places[:3])
            raise ValueError(f"several images of this name, in {where}")
        return (first or named[0]) / relative

    def _names(self, place: Path) -> frozenset[str]:
        """The names in a folder, listed once; none where it can't be listed."""
        if place not in self._listed:
            try:
                self._listed[place] = frozenset(entry.name for entry in os.scandir(place))
            except (OSError, ValueError):
                self._listed[place] = frozenset()
        return self._listed[place]

    def _can_be(self, place: Path, folder: str) -> bool:
        name = place.name.lower()
        return place in self._roots or place in self._named or name in IMAGE_FOLDERS or name == folder.lower()
