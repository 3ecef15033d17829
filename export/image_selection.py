"""Selects calibration and verification images: never the same ones, and never calibration images from a test split."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.data import Dataset, dataset_splits, held_out_parts, held_out_split, open_dataset
from edgecnn.data.address import parse_address, with_default
from edgecnn.data.cache import cache_samples
from edgecnn.data.calibration import MINIMUM, fingerprint, pick_calibration
from edgecnn.data.for_task import for_task
from edgecnn.data.formats.yolo import numbered_names
from edgecnn.data.problems import check_strict, to_stderr
from edgecnn.data.recognition import report_lines
from edgecnn.data.split_names import HELD_OUT, TRAIN
from edgecnn.errors import InputError
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.tensor_selection import select_tensors
from edgecnn.tasks import find
from edgecnn.types import Image

SCENE = "scene:"
VERIFY_SCENE = "scene:cups?seed=7331&every=40"


@dataclass(frozen=True, slots=True, eq=False)
class ImageSelection:
    """The calibration set (or None), the ``real`` images to verify with, and a description of their ``source``."""

    calibration: Calibration | None
    real: Sequence[Image]
    source: str


def select_images(
    card: ModelCard,
    calibration: str | None,
    count: int,
    seed: int,
    verify: str | None,
    verify_count: int,
    *,
    evaluate: str | None = None,
    force: bool = False,
    strict: bool = False,
    tell: Callable[[str], None] = to_stderr,
) -> ImageSelection:
    """Open the datasets and take ``count`` calibration images and ``verify_count`` verification images.

    Without verification data, other images of the calibration data are used, or the scene where the model was trained on it. Images
    whose content also occurs in validation or test splits, in ``verify`` or in ``evaluate`` are not used for calibration.
    ``tell`` gets lines about the calibration data.
    Raises ``InputError`` for data that can't be read, is too small or is not for training (the last two unless ``force``), and, with
    ``strict``, for problems in it.
    """
    if card.preprocess.tensors:
        if evaluate:
            find(card.task).check_measure()
        return ImageSelection(
            *select_tensors(card.preprocess.tensors, calibration, count, seed, verify, verify_count, force=force)
        )
    calibration, verify, evaluate = (uri and _with_class_numbers(uri) for uri in (calibration, verify, evaluate))
    checking = None if verify is None else for_task(_to_verify(verify, verify_count), card)
    if strict and checking is not None:
        check_strict(checking)
    if calibration is None:
        if checking is None and _of_the_scene(card):
            checking = for_task(_to_verify(VERIFY_SCENE, verify_count), card)
        return ImageSelection(None, *_spread(checking, verify_count, frozenset()))
    whole = for_task(_to_calibrate(calibration, count + verify_count, force, strict, tell), card)
    others = [for_task(part, card) for part in held_out_parts(calibration)]
    apart = [*others, *([checking] if checking else []), *([for_task(_to_measure(evaluate), card)] if evaluate else [])]
    needed = count if checking or others else _share(len(whole), count, verify_count, force)
    found = pick_calibration(whole, needed, seed, force=force, apart_from=_distinct(apart))
    images = [sample.read() for sample in found.samples]
    chosen, taken = Calibration(images, whole.name, found.record, force=force), frozenset(map(fingerprint, images))
    if checking is not None:
        return ImageSelection(chosen, *_spread(checking, verify_count, taken))
    real, _ = _spread(others[0] if others else whole, verify_count, taken)
    return ImageSelection(chosen, real, f"others of {whole.name}")


def _with_class_numbers(uri: str) -> str:
    """The address with numbers for the class names that a YOLO dataset lacks: neither calibration nor verification needs them."""
    address = parse_address(uri)
    if address.is_scene or address.labels or address.format not in (None, "yolo"):
        return uri
    names = numbered_names(address.path)
    return with_default(uri, "labels", ",".join(names)) if names else uri


def _of_the_scene(card: ModelCard) -> bool:
    data = card.training.get("data", "")
    return any(str(uri).startswith(SCENE) for uri in ([data] if isinstance(data, str) else data))


def _to_verify(uri: str, count: int) -> Dataset:
    if uri.startswith(SCENE):
        return open_dataset(uri, limit=count)
    return open_dataset(uri, split=held_out_split(uri))


def _to_measure(uri: str) -> Dataset:
    """The dataset that accuracy is measured on; empty for a scene, where another seed never repeats a frame."""
    if uri.startswith(SCENE):
        return Dataset(uri, "detect", (), [])
    return open_dataset(uri, split=held_out_split(uri))


def _distinct(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Without duplicates and empty datasets."""
    return list({(dataset.name, dataset.split, len(dataset)): dataset for dataset in datasets if len(dataset)}.values())


def _to_calibrate(uri: str, count: int, force: bool, strict: bool, tell: Callable[[str], None]) -> Dataset:
    """The training split, or everything where there are no splits; ``count`` frames of an endless scene."""
    if uri.startswith(SCENE):
        dataset = cache_samples(open_dataset(uri, limit=count))
        return dataclasses.replace(dataset, samples=list(dataset.samples))  # computes the ground truth of each frame once
    address, parts = parse_address(uri), dataset_splits(uri)
    train = next((name for name in parts if name.lower() in TRAIN), None)
    named = (address.split or "", *parts)
    held_out = next((name for name in named if name.lower() in HELD_OUT), None)
    if held_out and train is None and not force:
        raise InputError(
            f"--calibration: {held_out} of {address.place} is not a training split",
            "calibrate with other images than accuracy is measured with",
        )
    dataset = open_dataset(uri, split=train)
    if strict:
        check_strict(dataset)
    for line in report_lines(dataset):
        tell(line)
    return dataset


def _share(available: int, count: int, verify_count: int, force: bool) -> int:
    """Number of calibration images: ``count`` if that leaves enough to verify with, but at least the minimum."""
    return min(count, max(available - verify_count, min(MINIMUM, available * 3 // 4) if force else MINIMUM))


def _spread(dataset: Dataset | None, count: int, taken: frozenset[str]) -> tuple[list[Image], str]:
    """``count`` images evenly spaced over the dataset, without those whose fingerprint is in ``taken``; and the dataset's name."""
    if dataset is None:
        return [], ""
    # more places than needed, because images that calibrate are removed
    places = np.unique(np.linspace(0, len(dataset) - 1, count + len(taken)).astype(int))
    images = (dataset.samples[int(place)].read() for place in places)
    found = [image for image in images if fingerprint(image) not in taken]
    step = max(len(found) / count, 1.0)
    return [found[int(index * step)] for index in range(min(count, len(found)))], dataset.name
