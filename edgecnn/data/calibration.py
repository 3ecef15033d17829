"""Selects calibration images for int8 ranges: by seed, stratified over classes and brightness, with a record for the card."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.tasks import find
from edgecnn.types import Float32, Image

T = TypeVar("T")

MINIMUM = 64  # images: ranges from fewer depend on single images
# Candidates per image asked for; more would cost time, because images are read and boxes of a scene rendered for each.
CANDIDATES = 4
THIRDS = 3  # dark, medium, bright
BGR_TO_LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # ITU-R BT.601


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """The selected ``samples`` in dataset order, and ``record``, a manifest of plain values for the model card."""

    samples: list[Sample]
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Viewed:
    """A candidate: its index in the dataset, its class (-1 for none), mean luma 0..255 and fingerprint."""

    index: int
    group: int
    luma: float
    digest: str


def pick_calibration(
    dataset: Dataset, count: int, seed: int = 0, *, force: bool = False, apart_from: Sequence[Dataset] = ()
) -> CalibrationSet:
    """Select up to ``count`` samples for calibration; the same seed selects the same samples.

    Labelled samples are taken evenly over the classes (of an image with boxes, its rarest class counts) and within a class evenly over
    dark, middle and bright images. An image with the content of one in ``apart_from`` or of one taken before is left out.
    Raises ``InputError`` where fewer than 64 are asked for or left, unless ``force``.
    """
    _check_count(min(count, len(dataset)), dataset.name, force)
    draw = random.Random(seed)
    # more candidates than needed: brightness is known only after reading, and duplicates are dropped
    candidates = _candidates(dataset, CANDIDATES * count, draw)
    foreign = _fingerprints(apart_from)
    looked, left_out = _look(dataset, candidates, foreign)
    # selected in round-robin order, then stored in dataset order, so that the digest depends on the set alone
    chosen = sorted(_evenly(looked)[:count], key=lambda one: one.index)
    why = f" ({left_out} others are in {', '.join(other.name for other in apart_from)} too)" if left_out else ""
    _check_count(len(chosen), dataset.name + why, force)
    samples = [dataset.samples[one.index] for one in chosen]
    record = {"dataset": dataset.name, "split": dataset.split, "seed": seed, "count": len(chosen), **_described(dataset, samples)}
    record |= {"brightness": [round(value, 1) for value in _range(chosen)], "digest": _digest(chosen)}
    record["apart_from"] = [{"dataset": other.name, "split": other.split, "images": len(other)} for other in apart_from]
    return CalibrationSet(samples, record | ({"left_out": left_out} if left_out else {}))


def fingerprint(image: Image) -> str:
    """SHA-256 of shape and pixels of an image (H, W, 3): equal for copies in other file formats without loss."""
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def luma(image: Image) -> float:
    """Mean brightness 0..255 of a BGR image."""
    # one mean per channel, then weighted: the same as the mean of a gray image, without making one
    mean: Float32 = image.reshape(-1, 3).mean(0, dtype=np.float32)
    return float(mean @ BGR_TO_LUMA)


def _check_count(found: int, dataset: str, force: bool) -> None:
    if found < (1 if force else MINIMUM):
        raise InputError(
            f"calibration needs at least {MINIMUM} images, but there are {found} of {dataset}",
            "give more: ranges from so few images do not fit others (--force-calibration uses them anyway)",
        )


def _candidates(dataset: Dataset, most: int, draw: random.Random) -> list[tuple[int, int]]:
    """Index and class of up to ``most`` samples, drawn at random and evenly over the classes."""
    indices: Sequence[int] = range(len(dataset))
    # lazy samples compute their boxes on access (the scene renders them): draw first, then look at the classes of those only
    if not isinstance(dataset.samples, list) and find(dataset.task).has_boxes and len(dataset) > most:
        indices = sorted(draw.sample(indices, most))
    groups: dict[int, list[int]] = defaultdict(list)
    for index, group in zip(indices, _groups(dataset.pick(indices)), strict=True):
        groups[group].append(index)
    for members in groups.values():
        draw.shuffle(members)
    rows = [[(index, group) for index in groups[group]] for group in sorted(groups)]
    return _in_turns(rows)[:most]


def _groups(dataset: Dataset) -> list[int]:
    """The class of each sample; for boxes the class that is rarest in the dataset; -1 if there is none."""
    classes = [sample.classes for sample in dataset.samples]
    images_of = Counter(class_id for ids in classes for class_id in ids)
    return [min(ids, key=lambda class_id: (images_of[class_id], class_id)) if ids else -1 for ids in classes]


def _fingerprints(datasets: Sequence[Dataset]) -> frozenset[str]:
    return frozenset(digest for dataset in datasets for sample in dataset.samples if (digest := _content(sample)[1]))


def _content(sample: Sample) -> tuple[float, str]:
    """Brightness and fingerprint of an image; the fingerprint is "" where it can't be read."""
    try:
        image = sample.read()
    except InputError:
        return 0.0, ""
    return luma(image), fingerprint(image)


def _look(dataset: Dataset, candidates: Sequence[tuple[int, int]], foreign: frozenset[str]) -> tuple[list[_Viewed], int]:
    """Readable candidates without duplicates, and the number excluded because their content is in ``foreign``."""
    found: dict[str, _Viewed] = {}
    left_out = 0
    for index, group in candidates:
        brightness, digest = _content(dataset.samples[index])
        left_out += digest in foreign
        if digest and digest not in foreign:
            found.setdefault(digest, _Viewed(index, group, brightness, digest))
    return list(found.values()), left_out


def _evenly(looked: Sequence[_Viewed]) -> list[_Viewed]:
    """All candidates, round-robin over the classes, and within a class over the thirds of brightness."""
    classes: dict[int, list[_Viewed]] = defaultdict(list)
    for one in looked:
        classes[one.group].append(one)
    return _in_turns([_in_turns(_thirds(classes[key])) for key in sorted(classes)])


def _thirds(looked: Sequence[_Viewed]) -> list[list[_Viewed]]:
    """The dark, medium and bright third of the candidates, each in the given order."""
    rank = {one.index: place for place, one in enumerate(sorted(looked, key=lambda one: (one.luma, one.digest)))}
    thirds: list[list[_Viewed]] = [[] for _ in range(THIRDS)]
    for one in looked:
        thirds[rank[one.index] * THIRDS // len(looked)].append(one)
    return thirds


def _in_turns(rows: Sequence[Sequence[T]]) -> list[T]:
    """Interleaves rows: the first item of each row, then the second of each, until all are used."""
    return [row[turn] for turn in range(max(map(len, rows), default=0)) for row in rows if turn < len(row)]


def _described(dataset: Dataset, samples: Sequence[Sample]) -> dict[str, Any]:
    """Number of images by class; an image with boxes counts once for each class in it."""
    counts: Counter[int] = Counter()
    for sample in samples:
        counts.update(sample.classes)
    return {"classes": {dataset.labels[index]: counts[index] for index in sorted(counts)}} if counts else {}


def _range(chosen: Sequence[_Viewed]) -> tuple[float, float]:
    values = [one.luma for one in chosen]
    return min(values), max(values)


def _digest(chosen: Sequence[_Viewed]) -> str:
    """One SHA-256 over the fingerprints of all candidates, in order."""
    return hashlib.sha256("".join(one.digest for one in chosen).encode()).hexdigest()
