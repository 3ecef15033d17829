"""Recognizes the format of a dataset by the names and first bytes of its files, and says what it was taken for and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from edgecnn.counts import counted
from edgecnn.data.formats.left_out import as_text, other_files
from edgecnn.data.paths import exists, sub_folders
from edgecnn.data.problems import LINE, problem_lines, short
from edgecnn.data.sample import Dataset
from edgecnn.data.video_frames import VIDEO_SUFFIXES
from edgecnn.errors import InputError
from edgecnn.task_names import TaskName
from edgecnn.tasks import find

SHOWN_CLASSES = 5
NAME = 40  # characters of a class name


class Loader(Protocol):
    """The functions of each module of ``KINDS``."""

    def evidence(self, path: Path) -> str:
        """What shows that the path has this format, for a message; "" where it has not. Looks at names and first bytes only."""
        ...

    def splits(self, path: Path) -> tuple[str, ...]:
        """Names of the dataset's own splits; () if it has none."""
        ...

    def load(self, path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
        """All samples of a split, or of the whole dataset if ``split`` is None."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A format: its ``name`` for format=, its ``title`` in messages, and the files that it is recognized by."""

    name: str
    title: str
    files: str

    def loader(self, task: TaskName | None = None) -> Loader:
        """The module that reads it, for ``task`` where it has ground truth of several; imported by name: few of them are needed."""
        module = BY_TASK.get((self.name, task)) or MODULES.get(self.name, self.name)
        return cast(Loader, import_module(f"edgecnn.data.formats.{module}"))


MODULES = {"images": "unlabelled"}
BY_TASK: dict[tuple[str, TaskName | None], str] = {
    ("coco", "segment"): "coco_masks",
    ("coco", "pose"): "coco_poses",
    ("voc", "segment"): "masks",
}
KINDS = (
    Kind("idx", "IDX", "IDX files (train-images-idx3-ubyte.gz, t10k-...)"),
    Kind("coco", "COCO", "a COCO .json file, or a folder with one for each split"),
    Kind("voc", "Pascal VOC", "Annotations/*.xml with JPEGImages/ or images/, or .xml files beside the images"),
    Kind("dota", "DOTA", "images/ with labelTxt/*.txt"),
    Kind("yolo", "YOLO", "images/ with labels/*.txt, or .txt files beside the images"),
    Kind("masks", "images with masks", "images/ and masks/ with a .png for each image, and classes.txt"),
    Kind("values", "values", "images with values.csv"),
    Kind("signals", "signals", "a folder of .csv or .wav files for each class"),
    Kind("labels", "labels", "images with labels.csv: several labels for an image"),
    Kind("video", "frames of a video", "a video file"),
    Kind("mot", "MOT Challenge", "MOT Challenge: gt/gt.txt with img1/ or a video"),
)
FOLDERS = Kind("folders", "class folders", "a folder of images for each class")
# Tried in order where no kind above fits, because folders of those kinds look like these, too.
FALLBACKS = (FOLDERS, Kind("images", "images without labels", "a folder of images"))
FORMATS = tuple(kind.name for kind in (*KINDS, *FALLBACKS))


def recognize(path: Path, name: str | None = None) -> tuple[Kind, str]:
    """The kind of the dataset at ``path`` and the evidence for it; ``name`` (one of ``FORMATS``) decides where it is given.

    Raises ``InputError`` where no kind or several fit, or the files are not of the kind ``name``.
    """
    check_exists(path)
    if path.is_file() and path.suffix.lower() not in (".json", *VIDEO_SUFFIXES):
        problem = f"{path} is a file, but neither a folder nor a COCO .json file or a video"
        raise InputError(problem, "name the folder of the dataset")
    if name:
        return _named(path, name)
    found = [(kind, evidence) for kind in KINDS if (evidence := kind.loader().evidence(path))]
    if found and (rival := _class_folders(path)):
        found.append((FOLDERS, rival))
    if len(found) > 1:
        readings = " or ".join(f"{kind.title} ({evidence})" for kind, evidence in found)
        choices = " or ".join(f"format={kind.name}" for kind, _ in found)
        raise InputError(
            f"{path} can be read as {readings}", f"add {choices} to its address, or name the sub-folder or file that is meant"
        )
    return found[0] if found else _fallback(path)


def check_exists(path: Path) -> None:
    """Raise ``InputError`` where there is no such file or folder."""
    if not exists(path):
        raise InputError(f"the dataset {short(path, LINE)} does not exist", "check the path")


def _fallback(path: Path) -> tuple[Kind, str]:
    """Class folders or plain images, where the files are of no other format."""
    from edgecnn.data.formats import other_formats

    fits = next(((kind, evidence) for kind in FALLBACKS if (evidence := kind.loader().evidence(path))), None)
    other = other_formats.labels_of_other_format(path)
    if fits is None:
        other = other or other_formats.container(path)
    elif fits[0] is not FOLDERS or not _class_folders(path):
        other = other or other_formats.table_of_classes(path)
    if other:
        images = FALLBACKS[-1].loader().evidence(path)
        alone = ", or add format=images to its address to use the images alone" if images else ""
        raise InputError(f"{path} looks like {other.title} ({other.file}), which is not read", other.fix + alone)
    if fits:
        if fits[0] is FOLDERS:
            _refuse_doubtful(path)
        return fits
    known = ", ".join(kind.title for kind in (*KINDS, *FALLBACKS))
    fix = f"check the path, name the folder inside, or arrange the files as one of {known}"
    raise InputError(f"{path} is not a known kind of dataset: it holds {_contents(path)}", fix)


def _contents(path: Path) -> str:
    """What is directly in a folder without images, counted, for a message."""
    folders = len(sub_folders(path))
    parts = [as_text(other_files([path])), counted(folders, "folder") if folders else ""]
    return ", ".join(filter(None, parts)) or "nothing"


def _named(path: Path, name: str) -> tuple[Kind, str]:
    kind = next(kind for kind in (*KINDS, *FALLBACKS) if kind.name == name)
    evidence = kind.loader().evidence(path)
    if not evidence:
        raise InputError(f"format={name}: {path} has none of its files ({kind.files})", "correct format= or the path")
    return kind, f"format={name}"


def _class_folders(path: Path) -> str:
    """The evidence for class folders beside another kind: at least two folders that hold images and have no other role."""
    from edgecnn.data.formats.folders import plain_class_folders

    names = plain_class_folders(path)
    return f"folders of images: {_listed(names)}" if len(names) > 1 else ""


def _refuse_doubtful(path: Path) -> None:
    from edgecnn.data.formats.folders import doubt

    if why := doubt(path):
        fix = "add format=folders to its address if each folder in it is a class, or name the folder inside"
        raise InputError(f"{path} holds folders of images, but {why}", fix)


def describe(dataset: Dataset) -> str:
    """One line: what the files of a dataset were taken for and why, the split, and counts of images, boxes and classes.

    "" for a dataset that was rendered.
    """
    if not dataset.kind:
        return ""
    found, empty, ignored = _by_class(dataset)
    counts = [counted(len(dataset), "image")]
    if find(dataset.task).has_boxes:
        counts += [counted(sum(found.values()), "box"), *([f"{empty:,} without objects"] if empty else [])]
        counts += [f"{counted(ignored, 'ignored box')}"] if ignored else []
    if not find(dataset.task).has_classes:
        counts.append(f"the value {short(dataset.labels[0], NAME)}")
    elif dataset.labels:
        counts.append(f"{counted(len(dataset.labels), 'class')} ({_listed(_most_first(dataset, found))})")
        lacking = [
            short(name, NAME) for index, name in enumerate(dataset.labels) if not found[index] and index not in dataset.unlabelled
        ]
        if lacking and found:
            counts.append(f"none of {_listed(lacking)}")
    split = f", split {dataset.split}" if dataset.split else ""
    left_out = f"; not read: {as_text(dataset.left_out)}" if as_text(dataset.left_out) else ""
    name, evidence = short(dataset.name), short(dataset.evidence, 2 * NAME)
    return f"{name} is read as {dataset.kind} ({evidence}){split}: {', '.join(counts)}{left_out}"


def _by_class(dataset: Dataset) -> tuple[Counter[int], int, int]:
    """Boxes of each class, or images where there are no boxes; the number of images without boxes, and that of ignored boxes."""
    found: Counter[int] = Counter()
    empty = ignored = 0
    for sample in dataset.samples:
        if sample.boxes is not None:
            crowd = sample.boxes.crowd
            found.update((sample.boxes.class_id if crowd is None else sample.boxes.class_id[~crowd]).tolist())
            ignored += 0 if crowd is None else int(crowd.sum())
            empty += not len(sample.boxes)
        else:
            found.update(sample.classes)
    return found, empty, ignored


def _most_first(dataset: Dataset, found: Counter[int]) -> list[str]:
    """The classes with their counts, the most frequent first; only their names where nothing is counted."""
    order = sorted(range(len(dataset.labels)), key=lambda index: -found[index])
    names = [short(name, NAME) for name in dataset.labels]
    return [f"{names[index]} {found[index]:,}" if found else names[index] for index in order]


def report_lines(dataset: Dataset) -> list[str]:
    """What the commands print of a dataset that they open: what it was taken for, and its problems."""
    return [line for line in (describe(dataset), *problem_lines(dataset)) if line]


def _listed(names: Sequence[str]) -> str:
    more = f", {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    return ", ".join(names[:SHOWN_CLASSES]) + more
