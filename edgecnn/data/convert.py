"""Writes datasets of boxes as one clean COCO dataset, with images scaled down and a record of where each label came from."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np

from edgecnn.counts import counted
from edgecnn.data.address import parse_address, shown_address
from edgecnn.data.calibration import fingerprint
from edgecnn.data.check.duplicates import Fingerprints
from edgecnn.data.coco_writer import Written, coco_record, count_boxes
from edgecnn.data.dataset_kinds import open_dataset
from edgecnn.data.ensemble import Consensus
from edgecnn.data.formats.unlabelled import to_unlabelled_boxes
from edgecnn.data.image_files import ImageError
from edgecnn.data.licence_files import copy_licences
from edgecnn.data.problems import problem_line
from edgecnn.data.pseudo_labels import PseudoLabeler, pseudo_label
from edgecnn.data.recognition import report_lines
from edgecnn.data.relabel import to_classes
from edgecnn.data.sample import Dataset, Problem
from edgecnn.errors import InputError
from edgecnn.files import temporary_path, write_error, write_file
from edgecnn.images.writer import encode_image
from edgecnn.json_text import dump_json
from edgecnn.tasks import find
from edgecnn.types import Image

IMAGES, RECORD, SOURCES, LICENCES = "images", "instances.json", "SOURCES.json", "licences"
FORMATS = {
    "jpeg": (".jpg", (cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_QUALITY)),
    "webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY,)),
}
Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ConvertConfig:
    """``data`` are addresses, ``out`` a new folder. Images with a side above ``max_side`` pixels are scaled down, others keep their size.

    ``image_format`` is one of ``FORMATS``, ``quality`` (1..100) that of the image files. ``classes`` are the class names that all
    datasets are mapped to, () for those of the datasets. ``consensus`` is for pseudo-labels; ``cache`` is a folder that keeps the
    predictions of the teachers. ``apart_from`` are addresses of images to evaluate on: what looks like one of them is left out.
    Raises ``InputError`` for a value out of range.
    """

    data: tuple[str, ...]
    out: Path
    classes: tuple[str, ...] = ()
    max_side: int | None = None
    image_format: str = "jpeg"
    quality: int = 90
    limit: int | None = None
    consensus: Consensus = field(default_factory=Consensus)
    cache: Path | None = None
    apart_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.data:
            raise InputError("there is no dataset to convert", "name at least one")
        if not 1 <= self.quality <= 100:
            raise InputError(f"--quality {self.quality} is not in 1..100", "correct it")
        if self.image_format not in FORMATS:
            raise InputError(f"{self.image_format} is not a format of images to write", f"use one of {', '.join(FORMATS)}")
        if self.max_side is not None and self.max_side < 1:
            raise InputError(f"--max-side {self.max_side} is not above 0", "correct it")


@dataclass(frozen=True, slots=True)
class Converted:
    """The ``record`` that was written, a COCO document, and ``problems`` of the images that were left out."""

    record: dict[str, Any]
    problems: tuple[Problem, ...]

    @property
    def sources(self) -> list[dict[str, Any]]:
        """What came from each address; see `edgecnn data convert` in docs/data.md."""
        return list(self.record["info"]["sources"])


def convert(
    config: ConvertConfig,
    teachers: Sequence[PseudoLabeler] = (),
    say: Say = lambda line: None,
    progress: Progress = lambda what, done, total: None,
) -> Converted:
    """Write the datasets, with pseudo-labels of ``teachers`` for the classes that they lack; ``out`` appears complete or not at all.

    Images that can't be read, and copies of earlier ones, are left out. Raises ``InputError`` where ``out`` holds something, for datasets
    of other tasks than detection or with different classes, and what opening a dataset raises.
    """
    with _new_folder(config.out) as draft:
        datasets = [_open(uri, config, bool(teachers), say) for uri in config.data]
        labels = datasets[0].labels
        if other := next((dataset for dataset in datasets if dataset.labels != labels), None):
            raise InputError(
                f"{other.name} has the classes {', '.join(other.labels)}, but {datasets[0].name} {', '.join(labels)}",
                "map them to common ones with --classes, and rename= in the addresses",
            )
        writer = _Writer(draft, config, progress)
        parts, sources = [], []
        for number, (uri, dataset) in enumerate(zip(config.data, datasets, strict=True)):
            part, source = writer.add(number, uri, dataset, teachers)
            parts.append(part)
            sources.append(source)
        if not any(parts):
            raise InputError("no image can be written: none of them can be read", "check the datasets")
        record = coco_record([one for part in parts for one in part], labels, sources)
        write_file(draft / RECORD, dump_json(record))
        write_file(draft / SOURCES, dump_json(sources, indent=1))
    return Converted(record, tuple(writer.problems))


def _open(uri: str, config: ConvertConfig, taught: bool, say: Say) -> Dataset:
    dataset = open_dataset(uri, limit=config.limit, task="detect")
    for line in report_lines(dataset):
        say(line)
    if not dataset.labels:
        if not config.classes:
            raise InputError(f"{dataset.name} has no classes", "name them with --classes; --pseudo labels them")
        return to_unlabelled_boxes(dataset, config.classes)
    if not find(dataset.task).has_boxes:
        raise InputError(
            f"{dataset.name} is a dataset to {dataset.task}, but only boxes are converted", "name a dataset of boxes"
        )
    return to_classes(dataset, config.classes) if config.classes else dataset


@contextlib.contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out`` that is renamed to it at the end, or removed after an error."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"can't write to {out}: it holds something already", "name a new folder, or remove this one")
    draft = temporary_path(out)
    try:
        (draft / IMAGES).mkdir(parents=True)
    except OSError as error:
        raise write_error(out, error) from error
    try:
        yield draft
        if out.exists():
            out.rmdir()
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _Writer:
    """Writes the images of datasets, each content once, and finds their labels."""

    def __init__(self, folder: Path, config: ConvertConfig, progress: Progress) -> None:
        self._folder, self._config, self._progress = folder, config, progress
        self._names: set[str] = set()
        self._contents: set[str] = set()
        self._held_out = _HeldOut(config.apart_from, progress)
        self.problems: list[Problem] = []

    def add(
        self, number: int, uri: str, dataset: Dataset, teachers: Sequence[PseudoLabeler]
    ) -> tuple[list[Written], dict[str, Any]]:
        """The written images of one dataset, and the description of what it gave."""
        found: list[tuple[int, Written]] = []
        for index in range(len(dataset)):
            self._progress(f"images of {dataset.name}", index + 1, len(dataset))
            if one := self._write(dataset, index):
                found.append((index, one))
        kept = dataclasses.replace(dataset, samples=[dataset.samples[index] for index, _ in found])
        source: dict[str, Any] = {"dataset": shown_address(uri), "images": len(kept)}
        if left_out := len(dataset) - len(kept):
            source["left_out"] = left_out
        source |= count_boxes(kept)
        if teachers and found:
            kept = self._taught(number, kept, teachers, source)
        if kept.unlabelled:
            source["unlabelled"] = [kept.labels[index] for index in sorted(kept.unlabelled)]
        if not parse_address(uri).is_scene:
            source["licence_files"] = copy_licences(parse_address(uri).path, self._folder, PurePath(LICENCES))
        written = [dataclasses.replace(one, sample=sample) for (_, one), sample in zip(found, kept.samples, strict=True)]
        return written, source

    def _write(self, dataset: Dataset, index: int) -> Written | None:
        sample = dataset.samples[index]
        try:
            image = sample.read()
        except ImageError as error:
            self.problems.append(Problem(sample.name, error.reason))
            return None
        content = fingerprint(image)
        if content in self._contents:
            self.problems.append(Problem(sample.name, "the same pixels as an earlier image; left out"))
            return None
        self._contents.add(content)
        if other := self._held_out.like(image):
            self.problems.append(Problem(sample.name, f"looks the same as {other}; left out"))
            return None
        small = scaled_down(image, self._config.max_side)
        suffix, options = FORMATS[self._config.image_format]
        name = self._name(sample.name, suffix)
        write_file(self._folder / IMAGES / name, encode_image(small, suffix, (*options, self._config.quality)))
        return Written(sample, name, image.shape[1::-1], small.shape[1::-1])

    def _name(self, name: str, suffix: str) -> str:
        """A new file name with the stem of ``name``: groups of images (clips) are recognized by it."""
        stem = PurePath(name).stem
        again = Counter[str]()
        while (found := f"{stem}-{again[stem] + 1}{suffix}" if again[stem] else f"{stem}{suffix}") in self._names:
            again[stem] += 1
        self._names.add(found)
        return found

    def _taught(self, number: int, kept: Dataset, teachers: Sequence[PseudoLabeler], source: dict[str, Any]) -> Dataset:
        folder = self._config.cache

        def cache(teacher: PseudoLabeler) -> Path:
            assert folder is not None
            return folder / f"{number}-{kept.name}-{Path(teacher.name).stem}.json"

        labelled = pseudo_label(
            kept,
            teachers,
            self._config.consensus,
            cache=cache if folder else None,
            progress=lambda done, total: self._progress(f"pseudo-labels for {kept.name}", done, total),
        )
        if labelled.record:
            source["pseudo"] = dict(labelled.record)
        return labelled.dataset


class _HeldOut:
    """Images to evaluate on, which must not be among those that are written."""

    def __init__(self, addresses: Sequence[str], progress: Progress) -> None:
        self._prints = Fingerprints()
        self._names: list[str] = []
        for dataset in map(open_dataset, addresses):
            for number, sample in enumerate(dataset.samples, 1):
                progress(f"images of {dataset.name}", number, len(dataset))
                with contextlib.suppress(ImageError):
                    self._prints.add(sample.read())
                    self._names.append(f"{sample.name} of {dataset.name}")

    def like(self, image: Image) -> str:
        """The name of one that looks the same as ``image``, "" if none does."""
        found = self._prints.like(image) if self._names else None
        return "" if found is None else self._names[found]


def scaled_down(image: Image, max_side: int | None) -> Image:
    """The image (H, W, 3) with its longer side at most ``max_side`` pixels; never larger than it is."""
    height, width = image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return image
    scale = max_side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def problem_text(converted: Converted, shown: int = 5) -> list[str]:
    """Lines on the images that were left out."""
    found = converted.problems
    more = [f"  {len(found) - shown:,} more"] if len(found) > shown else []
    head = [f"{len(found):,} images left out:"] if found else []
    return [*head, *(f"  {problem_line(problem)}" for problem in found[:shown]), *more]


def result_text(converted: Converted) -> list[str]:
    """A line for each source: its images, and the boxes of each class from the dataset and from teachers."""
    return [line for source in converted.sources for line in _source_lines(source)]


def _source_lines(source: Mapping[str, Any]) -> list[str]:
    own = [f"{name} {count:,}" for name, count in source["boxes"].items()]
    pseudo = source.get("pseudo", {})
    taught = [f"{name} {count:,}{_details(pseudo, name)}" for name, count in pseudo.get("boxes", {}).items()]
    parts = [
        counted(source["images"], "image"),
        *([f"labelled {', '.join(own)}"] if own else []),
        *([f"by teachers {', '.join(taught)}"] if taught else []),
        *([f"not labelled {', '.join(source['unlabelled'])}"] if "unlabelled" in source else []),
    ]
    return [f"{source['dataset']}: {'; '.join(parts)}"]


def _details(pseudo: Mapping[str, Any], name: str) -> str:
    """Of the boxes of a class by teachers: on how many several agreed, where there are several, and how many uncertain ones are ignored."""
    agreed = [f"{pseudo['agreed'][name]:,} agreed"] if len(pseudo["teachers"]) > 1 else []
    ignored = [f"{pseudo['ignored'][name]:,} ignored"] if pseudo["ignored"][name] else []
    return f" ({', '.join([*agreed, *ignored])})" if agreed or ignored else ""
