"""Loads images with masks: images/NAME.jpg and masks/NAME.png, also as Pascal VOC has them, JPEGImages/ and SegmentationClass/.

Splits are folders ROOT/SPLIT/images with ROOT/SPLIT/masks, or ROOT/images/SPLIT with ROOT/masks/SPLIT, or the lists of VOC,
ImageSets/Segmentation/SPLIT.txt. The names of the classes are in classes.txt, one in a line, class 0 first; those of VOC are known.
Everingham et al. 2010, doi:10.1007/s11263-009-0275-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import ImageError, by_stem, image_size, read_image
from edgecnn.data.mask_files import read_mask
from edgecnn.data.problems import size_problem
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import split_folders
from edgecnn.errors import InputError
from edgecnn.labels import BACKGROUND, read_label_file
from edgecnn.text_files import read_lines

IMAGES = ("images", "JPEGImages")
MASKS = ("masks", "annotations", "SegmentationClass")
LISTS = Path("ImageSets/Segmentation")
CLASSES = "classes.txt"
VOC = (
    BACKGROUND, "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _MaskPart:
    """The folders of images and masks of a dataset or of a split of it, and the list of its images."""

    images: Path
    masks: Path
    list: Path | None = None


def evidence(path: Path) -> str:
    """The folders of images and masks, where none of boxes is beside them: those of VOC with boxes are read by ``?task=segment``."""
    parts = _parts(path)
    first = next(iter(parts.values()), None)
    if first is None or any(
        (path / name).is_dir() and any((path / name).glob("*.xml")) for name in ("Annotations", "annotations")
    ):
        return ""
    where = ", ".join(name for name in parts if name)
    layout = f"{first.images.relative_to(path).parts[0]}/ and {first.masks.relative_to(path).parts[0]}/*.png"
    return f"{layout} in {where}" if where else layout


def splits(path: Path) -> tuple[str, ...]:
    """The splits that have folders or lists of their own."""
    return tuple(name for name in _parts(path) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples by file name. Raises ``InputError`` where the names of the classes are not known, or there are no masks."""
    parts = _parts(path)
    if not parts:
        raise InputError(
            f"{path} has no masks: .png files in {', '.join(MASKS)}, beside images in {', '.join(IMAGES)}", "check the path"
        )
    names = labels or _names(path, next(iter(parts.values())))
    chosen = [parts[split]] if split else [part for name, part in parts.items() if not name] or list(parts.values())
    problems: list[Problem] = []
    samples = [sample for part in chosen for sample in _samples(part, path, len(names), problems)]
    left_out = other_files({part.images for part in chosen})
    return Dataset(path.resolve().name, "segment", names, samples, tuple(problems), split or "", left_out=left_out)


def _parts(path: Path) -> dict[str, _MaskPart]:
    """The parts by split; "" is all images of a dataset without folders for splits."""
    if not path.is_dir():
        return {}
    if by_split := {name: part for name, folder in split_folders(path).items() if (part := _part(folder))}:
        return by_split
    images, masks = _folder(path, IMAGES), _folder(path, MASKS)
    if images is None or masks is None:
        return {}
    within = {name: place for name, place in split_folders(images).items() if _has_png(masks / name)}
    if within:
        return {name: _MaskPart(place, masks / name) for name, place in within.items()}
    if not _has_png(masks):
        return {}
    lists = {file.stem: _MaskPart(images, masks, file) for file in sorted((path / LISTS).glob("*.txt"))}
    return {"": _MaskPart(images, masks)} | lists


def _part(place: Path) -> _MaskPart | None:
    images, masks = _folder(place, IMAGES), _folder(place, MASKS)
    return _MaskPart(images, masks) if images and masks and _has_png(masks) else None


def _folder(place: Path, names: tuple[str, ...]) -> Path | None:
    return next((place / name for name in names if (place / name).is_dir()), None)


def _has_png(folder: Path) -> bool:
    return folder.is_dir() and any(file.suffix.lower() == ".png" for file in folder.iterdir())


def _names(path: Path, part: _MaskPart) -> tuple[str, ...]:
    if (path / CLASSES).is_file():
        return read_label_file(path / CLASSES)
    if part.masks.name == "SegmentationClass":
        return VOC
    fix = f"write them into {CLASSES}, one in a line, class 0 first, or name them with labels={BACKGROUND},cup,plate"
    raise InputError(f"the masks of {path} have numbers, but no names of the classes", fix)


def _samples(part: _MaskPart, top: Path, classes: int, problems: list[Problem]) -> list[Sample]:
    images, masks = by_stem(part.images), by_stem(part.masks)
    listed = list(read_lines(part.list).values()) if part.list else sorted(images)
    found = []
    for stem in listed:
        image = images.get(stem)
        mask = masks.get(stem)
        if image is None or mask is None:
            lacking = "image" if image is None else "mask"
            problems.append(Problem(stem if image is None else str(image.relative_to(top)), f"it has no {lacking}; left out"))
            continue
        try:
            size, other = image_size(image), image_size(mask)
        except ImageError as error:
            problems.append(Problem(str(image.relative_to(top)), error.reason))
            continue
        if size != other:
            problems.append(size_problem(str(image.relative_to(top)), str(mask.relative_to(top)), other, size))
            continue
        found.append(Sample(str(image.relative_to(top)), partial(read_image, image), mask=partial(read_mask, mask, classes)))
    return found
