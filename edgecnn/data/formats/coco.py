"""Loads COCO JSON datasets (https://cocodataset.org/#format-data): a .json file, or a folder that contains one for each split."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edgecnn.data.boxes import BoxList, Corners, has_extent
from edgecnn.data.formats.coco_files import ImageFinder, annotation_files, choose
from edgecnn.data.formats.coco_record import Categories, CocoImage, Record, number, read_categories, read_images, read_record
from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.join import join
from edgecnn.data.problems import short, size_problem
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.errors import InputError

Complete = Callable[[Sample, CocoImage, Categories, tuple[int, int]], Sample]
"""Takes a sample, its entry, the categories and (width, height) of its image."""


def evidence(path: Path) -> str:
    """The annotation files: the file itself, or those in the folder, in annotations/ or in the folders of splits."""
    if path.is_file():
        return "a .json file" if path.suffix.lower() == ".json" else ""
    files = [file for of_split in annotation_files(path).values() for file in of_split] if path.is_dir() else []
    names = [str(file.relative_to(path)) for file in files[:2]]
    return ", ".join([*names, *([f"{len(files) - 2} more .json"] if len(files) > 2 else [])])


def splits(path: Path) -> tuple[str, ...]:
    """The splits that the names of the files or of their folders name, if there are several files or folders for splits."""
    return tuple(name for name in annotation_files(path) if name)


def _boxes_only(sample: Sample, image: CocoImage, categories: Categories, size: tuple[int, int]) -> Sample:
    return sample


def load(path: Path, split: str | None, labels: tuple[str, ...] | None, complete: Complete = _boxes_only) -> Dataset:
    """Samples in the order of the files; categories become class ids 0..C-1 in the order of their ids, or of ``labels``.

    ``complete`` gives a sample with boxes other ground truth.
    """
    files = choose(path, split)
    used: Counter[Path] = Counter()
    datasets = [_load(file, path, labels, used, complete) for file in files]
    if any(dataset.labels != datasets[0].labels for dataset in datasets):
        names = ", ".join(str(file.relative_to(path)) for file in files)
        raise InputError(f"the COCO files {names} have different categories", "name a split, or the classes with labels=a,b,c")
    joined = join(datasets)
    return dataclasses.replace(joined, name=path.resolve().stem, split=split or "", left_out=_left_out(used))


def _load(file: Path, top: Path, labels: tuple[str, ...] | None, used: Counter[Path], complete: Complete) -> Dataset:
    """One file; ``used`` counts the images of each folder that it names."""
    record = read_record(file)
    shown = str(file.relative_to(top)) if file != top else file.name
    problems: list[Problem] = []
    categories = read_categories(record, file, labels, problems)
    images = read_images(record, file, shown, problems)
    reader = _CocoSamples(ImageFinder(file), categories, problems, used, top if top != file else file.parent, complete)
    found = (reader.sample(image, index) for index, image in enumerate(images))
    samples = [sample for sample in found if sample is not None]
    nowhere = frozenset.intersection(*(sample.unlabelled for sample in samples)) if samples else frozenset()
    return Dataset(file.stem, "detect", categories.names, samples, tuple(problems), unlabelled=nowhere, sources=_sources(record))


def _sources(record: Record) -> tuple[Record, ...]:
    """What the dataset was made of, where edgecnn wrote the file."""
    info = record.get("info")
    found = info.get("sources") if isinstance(info, dict) else None
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _left_out(used: Counter[Path]) -> dict[str, int]:
    """Files in the folders of the images that no record names."""
    unlisted = sum(max(len(list_images(folder)) - count, 0) for folder, count in used.items())
    return {**other_files(used, {".json"}), "images without an entry": unlisted}


class _CocoSamples:
    """Makes the samples of one file."""

    def __init__(
        self,
        find: ImageFinder,
        categories: Categories,
        problems: list[Problem],
        used: Counter[Path],
        top: Path,
        complete: Complete,
    ) -> None:
        self._find, self._categories, self._problems, self._used, self._top = find, categories, problems, used, top
        self._complete = complete
        self._paths: dict[Path, str] = {}

    def sample(self, image: CocoImage, index: int) -> Sample | None:
        """The sample of an image; None and a problem where its file is missing, damaged or used already."""
        try:
            path, name = self._find(image.file_name)
            if path in self._paths:
                raise ValueError(f"the file of {self._paths[path]} for a second time")
        except ValueError as error:
            self._problems.append(Problem(image.where, f"{error}: {short(image.file_name)}"))
            return None
        self._paths[path] = image.where
        self._used[path.parent] += 1
        try:
            size = image_size(path)
        except ImageError as error:
            self._problems.append(Problem(name, error.reason))
            return None
        if image.size and image.size != size:
            self._problems.append(size_problem(name, image.where, image.size, size))
        boxes = BoxList(*size, self._problems)
        for where, annotation in image.annotations:
            self._add(annotation, where, boxes)
        image_id = image.key if isinstance(image.key, int) else index
        unlabelled = frozenset(one for key in image.open_categories if (one := self._categories.find(key)) is not None)
        made = Sample(
            self._shown(path, name), partial(read_image, path), boxes=boxes.done(), image_id=image_id, unlabelled=unlabelled
        )
        return self._complete(made, image, self._categories, size)

    def _shown(self, path: Path, name: str) -> str:
        """The path in the dataset, which tells images of one file name in several splits apart."""
        return str(path.relative_to(self._top)) if path.is_relative_to(self._top) else name

    def _add(self, annotation: Record, where: str, boxes: BoxList) -> None:
        category = self._categories.find(annotation.get("category_id"))
        if category is None:
            what = f"the category {short(annotation.get('category_id'))}, which is none of the classes; left out"
            self._problems.append(Problem(where, what))
            return
        # "bbox" is left, top, width, height in pixels
        bbox = annotation.get("bbox")
        values = [number(value) for value in bbox] if isinstance(bbox, list) else []
        if len(values) != 4 or None in values:
            self._problems.append(Problem(where, f"no box of four numbers: {short(bbox)}; left out"))
            return
        x, y, w, h = (float(value) for value in values if value is not None)
        # "area" is that of the segmentation, which AP by size uses; tools that have none write 0 or null
        area = number(annotation.get("area")) or 0.0
        crowd = bool(number(annotation.get("iscrowd") or 0))
        corners = _four_points(annotation.get("segmentation"))
        boxes.add((x, y, x + w, y + h), category, where, crowd=crowd, area=area if area > 0 else w * h, corners=corners)


def _four_points(segmentation: Any) -> Corners | None:
    """The corners of a rotated box: those of a segmentation that is one polygon of four points."""
    polygon = segmentation[0] if isinstance(segmentation, list) and len(segmentation) == 1 else None
    values = [number(value) for value in polygon] if isinstance(polygon, list) and len(polygon) == 8 else []
    found = [value for value in values if value is not None]
    corners = tuple(zip(found[::2], found[1::2], strict=True)) if len(found) == 8 else None
    return corners if corners and has_extent(corners) else None
