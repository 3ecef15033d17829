"""Loads classification datasets with one folder per class: ROOT/CLASS/*.jpg, or ROOT/SPLIT/CLASS/*.jpg.

Images in folders below that of the class belong to it, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.paths import folders_below, sub_folders
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import is_split, part_in, split_folders

# Folders of detection datasets: such a dataset without its annotations must not become one of two classes.
NOT_CLASSES = {"images", "labels", "annotations", "jpegimages"}
# Label files of other formats lie beside an image under its name; looked for beside the first images of a class.
LABEL_SUFFIXES, LOOKED_AT = (".xml", ".txt", ".json"), 20


def evidence(path: Path) -> str:
    """The names of the sub-folders, if they hold images and are neither splits nor folders of a detection dataset."""
    if not path.is_dir():
        return ""
    found = _classes(path)
    names = tuple(dict.fromkeys(folder.name for folder in found))
    if not names or all(map(is_split, names)) or NOT_CLASSES & {name.lower() for name in names}:
        return ""
    has_images = any(list_images(place) for folder in found for place in folders_below(folder))
    return f"folders of images in {' and '.join(splits(path)) or 'it'}" if has_images else ""


def doubt(path: Path) -> str:
    """Why the folders may be something else than classes; "" where they hold images and no label files."""
    found = _classes(path)
    direct = [image for folder in found for image in list_images(folder)[:LOOKED_AT]]
    if not direct:
        first = next(place for folder in found for place in folders_below(folder) if list_images(place))
        return f"their images are in folders below, such as {first.relative_to(path)}"
    beside = next((image for image in direct if any(image.with_suffix(suffix).is_file() for suffix in LABEL_SUFFIXES)), None)
    return f"a label file is beside {beside.relative_to(path)}" if beside else ""


def plain_class_folders(path: Path) -> tuple[str, ...]:
    """Names of the folders that could be classes in a dataset of another kind: images directly in them, no split in their names."""
    if not path.is_dir():
        return ()
    found = _classes(path)
    if NOT_CLASSES & {folder.name.lower() for folder in found}:
        return ()
    return tuple(
        sorted(
            {folder.name for folder in found if not part_in(folder.name) and not is_split(folder.name) and list_images(folder)}
        )
    )


def splits(path: Path) -> tuple[str, ...]:
    """Sub-folders that have the name of a split and contain folders."""
    return tuple(name for name, folder in split_folders(path).items() if sub_folders(folder))


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples by class and file name; classes are the names of the folders in order, or ``labels``."""
    # from all splits: a class that one split lacks must not shift the ids of the others
    labels = labels or tuple(sorted({folder.name for folder in _classes(path)}))
    own = splits(path)
    problems = [
        Problem(folder.name, f"a folder beside the splits {', '.join(own)}; left out")
        for folder in (sub_folders(path) if own else ())
        if folder.name not in own and any(map(list_images, folders_below(folder)))
    ]
    chosen = [path / split] if split else [path / name for name in own] or [path]
    samples = [sample for root in chosen for sample in _samples(root, path, labels, problems)]
    places = [place for root in chosen for folder in sub_folders(root) for place in folders_below(folder)]
    left_out = other_files(places)
    beside = Counter({"images beside the class folders": sum(len(list_images(root)) for root in chosen)})
    return Dataset(
        path.resolve().name, "classify", labels, samples, tuple(problems), split or "", left_out={**left_out, **beside}
    )


def _classes(path: Path) -> list[Path]:
    """The folders that could be classes, of all splits."""
    return [folder for root in [path / name for name in splits(path)] or [path] for folder in sub_folders(root)]


def _samples(root: Path, top: Path, labels: tuple[str, ...], problems: list[Problem]) -> Iterator[Sample]:
    for folder in sub_folders(root):
        if folder.name not in labels:
            problems.append(Problem(str(folder.relative_to(top)), f"a folder that is none of the classes {', '.join(labels)}"))
            continue
        images = [image for place in folders_below(folder) for image in list_images(place)]
        if not images:
            problems.append(Problem(str(folder.relative_to(top)), "a class without images"))
        for image in images:
            name = str(image.relative_to(top))
            try:
                image_size(image)
            except ImageError as error:
                problems.append(Problem(name, error.reason))
                continue
            yield Sample(name, partial(read_image, image), label=labels.index(folder.name))
