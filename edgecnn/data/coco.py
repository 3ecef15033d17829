"""Loads COCO JSON datasets (https://cocodataset.org/#format-data): a .json file, or a folder that contains one."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from edgecnn.data.boxes import BoxList
from edgecnn.data.image_files import ImageError, image_size, read_image
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.errors import InputError

Record: TypeAlias = dict[str, Any]
SPLITS = ("train", "val", "test")


def fits(path: Path) -> bool:
    """Whether ``path`` is a .json file, or a folder with COCO files in it or in its annotations/."""
    return bool(_files(path))


def splits(path: Path) -> tuple[str, ...]:
    """The splits train, val and test that occur in the names of the files, if there are several files."""
    names = [file.stem.lower() for file in _files(path)]
    return tuple(split for split in SPLITS if len(names) > 1 and any(split in name for name in names))


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the file's order; categories become class ids 0..C-1 in the order of their ids, or of ``labels``."""
    file = _choose(path, split)
    try:
        dataset = _load(file, labels)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{file} lacks ids or fields of COCO ({reason})", "check how the file was written") from error
    return dataclasses.replace(dataset, name=path.resolve().stem, split=split or "")


def _load(file: Path, labels: tuple[str, ...] | None) -> Dataset:
    record = _read(file)
    # COCO's ids have gaps (90 ids for 80 classes): class ids are positions
    categories = sorted(record["categories"], key=lambda category: int(category["id"]))
    labels = labels or tuple(str(category["name"]) for category in categories)
    class_of = {int(category["id"]): labels.index(str(category["name"])) for category in categories if category["name"] in labels}
    problems: list[Problem] = []
    boxes = _boxes_by_image(record, file.name, problems)
    finder = _Finder(file)
    found = (_sample(image, boxes[image["id"]], class_of, finder, problems) for image in record["images"])
    samples = [sample for sample in found if sample is not None]
    return Dataset(file.stem, "detect", labels, samples, tuple(problems))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" else []
    places = (path, path / "annotations")
    return [file for place in places for file in sorted(place.glob("*.json")) if _looks_like_coco(file)]


def _looks_like_coco(file: Path) -> bool:
    """Detected by the name, or by keys in the first or last 4 KiB: annotation files can have hundreds of megabytes."""
    if file.name.startswith(("captions_", "person_keypoints_", "image_info_", "stuff_", "panoptic_")):
        return False
    with file.open("rb") as stream:
        head = stream.read(4096)
        stream.seek(max(file.stat().st_size - 4096, 0))
        keys = head + stream.read()
    return file.name.startswith("instances_") or any(key in keys for key in (b'"annotations"', b'"images"', b'"categories"'))


def _choose(path: Path, split: str | None) -> Path:
    files = [file for file in _files(path) if not split or split in file.stem.lower()]
    if len(files) != 1:
        names = ", ".join(file.name for file in files)
        raise InputError(f"{path} has several COCO files: {names}", "name the file itself, or a split that tells them apart")
    return files[0]


def _read(file: Path) -> Record:
    try:
        record = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"can't read the COCO file {file}: {error}", "copy it again") from error
    lacking = [key for key in ("images", "annotations", "categories") if not isinstance(record, dict) or key not in record]
    if lacking:
        raise InputError(f"{file} is not a COCO file: it has no {', '.join(lacking)}", "name a COCO file")
    return dict(record)


def _boxes_by_image(record: Record, file: str, problems: list[Problem]) -> dict[Any, list[tuple[str, Record]]]:
    """Annotations by image id, each with its position for messages; annotations of unlisted images become problems."""
    known = {image["id"] for image in record["images"]}
    grouped: dict[Any, list[tuple[str, Record]]] = defaultdict(list)
    for annotation in record["annotations"]:
        where = f"{file}: annotation {annotation.get('id')}"
        if annotation.get("image_id") in known:
            grouped[annotation["image_id"]].append((where, annotation))
        else:
            problems.append(Problem(where, f"the image id {annotation.get('image_id')}, which is not listed; left out"))
    return grouped


class _Finder:
    """Finds image files by ``file_name`` in the folders that COCO datasets use."""

    def __init__(self, file: Path) -> None:
        roots = [file.parent, file.parent.parent] if file.parent.name.lower() == "annotations" else [file.parent]
        # file_name is relative to a folder that the format does not name: annotations/../val2017 or images/val2017 are usual
        below = [place for root in roots for place in sorted(root.iterdir()) if place.is_dir()]
        below += [place for images in below if images.name == "images" for place in sorted(images.iterdir()) if place.is_dir()]
        # A folder whose name is in the file's own (val2017 in instances_val2017.json) comes first.
        below.sort(key=lambda place: not any(word in file.stem for word in (place.name, place.name.rstrip("0123456789")) if word))
        self._places = [*roots, *below]

    def __call__(self, name: str) -> Path | None:
        for index, place in enumerate(self._places):
            if (place / name).is_file():
                # the next images are most likely in the same folder: it is tried first from now on
                if index:
                    self._places.insert(0, self._places.pop(index))
                return place / name
        return None


def _sample(
    image: Record, annotations: list[tuple[str, Record]], class_of: dict[int, int], finder: _Finder, problems: list[Problem]
) -> Sample | None:
    name = str(image.get("file_name"))
    path = finder(name)
    if path is None:
        problems.append(Problem(name, "no such file"))
        return None
    try:
        boxes = BoxList(*image_size(path), problems)
    except ImageError as error:
        problems.append(Problem(name, error.reason))
        return None
    for where, annotation in annotations:
        _add(annotation, class_of, where, boxes)
    return Sample(name, partial(read_image, path), boxes=boxes.done(), image_id=int(image["id"]))


def _add(annotation: Record, class_of: dict[int, int], where: str, boxes: BoxList) -> None:
    category = annotation.get("category_id")
    if category not in class_of:
        boxes.problems.append(Problem(where, f"the category {category}, which is none of the classes; left out"))
        return
    try:
        # "bbox" is left, top, width, height in pixels; "area" is that of the segmentation, which AP by size uses
        x, y, w, h = (float(value) for value in annotation["bbox"])
        area = float(annotation.get("area", w * h))
    except (KeyError, TypeError, ValueError):
        boxes.problems.append(Problem(where, f"no box of four numbers: {annotation.get('bbox')}; left out"))
        return
    boxes.add((x, y, x + w, y + h), class_of[category], where, crowd=bool(annotation.get("iscrowd")), area=area)
