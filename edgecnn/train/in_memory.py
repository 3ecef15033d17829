"""A dataset in memory: every image resized once by the card's rule, as uint8, with its truth in pixels of the model's input."""

from __future__ import annotations

import dataclasses
import math
import mmap
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edgecnn.card import Preprocess
from edgecnn.data import Boxes, Dataset, Problem, Sample
from edgecnn.data.problems import check_strict, problem_lines, to_stderr
from edgecnn.errors import InputError
from edgecnn.preprocess import resize_into
from edgecnn.types import Float32, Image, Int64

CHUNK = 16


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """``images`` (n, h, w, c) uint8 in the card's colour order, and their truth: ``labels`` (n,) int64, ``boxes`` or ``values``.

    ``values`` (n,) float32 are for regression. ``labelled`` (n, C) bool: whether a class is labelled in an image.
    """

    images: Image
    labels: Int64
    boxes: tuple[Boxes, ...]
    values: Float32
    labelled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of image ``index``, or why it could not be read."""

    index: int
    label: int = -1
    value: float = math.nan
    boxes: Boxes | None = None
    unlabelled: frozenset[int] = frozenset()
    problem: Problem | None = None


def load(
    datasets: Sequence[Dataset],
    preprocess: Preprocess,
    *,
    workers: int = 1,
    quiet: bool = False,
    strict: bool = False,
    warn: Callable[[str], None] = to_stderr,
) -> Pixels:
    """Read and resize all samples of ``datasets``, in ``workers`` processes where the system can fork.

    An image that can't be read is left out and told of with ``warn``, or an ``InputError`` if ``strict``.
    Raises ``InputError`` for datasets without truth or too large for the memory, or where no image can be read.
    """
    count = sum(len(dataset) for dataset in datasets)
    images = _shared((count, *preprocess.size, preprocess.channels))
    jobs = _Jobs(datasets, preprocess, images)
    with tqdm(total=count, desc="reading images", unit="image", disable=quiet or None, leave=False) as bar:
        truths = []
        for truth in _run(jobs, workers):
            truths.append(truth)
            bar.update()
    truths.sort(key=lambda truth: truth.index)
    _tell(truths, datasets, strict, warn)
    return _pixels(images, [truth for truth in truths if truth.problem is None], len(datasets[0].labels))


def _tell(truths: Sequence[Truth], datasets: Sequence[Dataset], strict: bool, warn: Callable[[str], None]) -> None:
    problems = tuple(truth.problem for truth in truths if truth.problem)
    found = dataclasses.replace(datasets[0], name=", ".join(dataset.name for dataset in datasets), problems=problems)
    if len(problems) == len(truths):
        what = f"none that can be read ({problems[0].what})" if problems else "none"
        raise InputError(f"images in {found.name}", what, "check the dataset")
    if strict:
        check_strict(found)
    for line in problem_lines(found):
        warn(line)


def _pixels(images: Image, truths: Sequence[Truth], classes: int) -> Pixels:
    """What was read, without the places of images that could not be."""
    labelled = np.ones((len(truths), classes), np.bool_)
    for row, truth in zip(labelled, truths, strict=True):
        row[list(truth.unlabelled)] = False
    return Pixels(
        images if len(truths) == len(images) else images[[truth.index for truth in truths]],
        np.array([truth.label for truth in truths], np.int64),
        tuple(truth.boxes for truth in truths if truth.boxes is not None),
        np.array([truth.value for truth in truths], np.float32),
        labelled,
    )


def _shared(shape: tuple[int, ...]) -> Image:
    """Zeros that forked processes write into."""
    try:
        memory = mmap.mmap(-1, max(int(np.prod(shape)), 1))
    except (OSError, MemoryError, OverflowError) as error:
        size = np.prod(shape) / 2**30
        raise InputError(f"{size:.1f} GiB of memory for {shape[0]} images", str(error), "use fewer images: --limit N") from error
    return np.frombuffer(memory, np.uint8, int(np.prod(shape))).reshape(shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Jobs:
    datasets: Sequence[Dataset]
    preprocess: Preprocess
    images: Image

    def do(self, index: int) -> Truth:
        """Read image ``index`` into its place, and give its truth."""
        sample = self._sample(index)
        try:
            place = resize_into(sample.read(), self.preprocess, self.images[index])
        except InputError as error:
            return Truth(index, problem=Problem(sample.name, error.found))
        label = -1 if sample.label is None else sample.label
        value = math.nan if sample.value is None else sample.value
        boxes = sample.boxes
        if boxes is not None:
            boxes = Boxes(place.to_input(boxes.xyxy).astype(np.float32), boxes.class_id, None, boxes.crowd)
        return Truth(index, int(label), value, boxes, sample.unlabelled)

    def _sample(self, index: int) -> Sample:
        """Sample ``index`` of all datasets; it is made here, in the worker, since making one may cost as much as reading it."""
        for dataset in self.datasets:
            if index < len(dataset):
                sample = dataset.samples[index]
                if {"classify": sample.label, "detect": sample.boxes, "regress": sample.value}[dataset.task] is None:
                    found = f"none for {sample.name}"
                    raise InputError(f"a truth for each image of {dataset.name}", found, "name a labelled dataset")
                return sample
            index -= len(dataset)
        raise IndexError(index)


_jobs: _Jobs | None = None


def _do(index: int) -> Truth:
    assert _jobs is not None
    return _jobs.do(index)


def _end_on_signals() -> None:
    """Libraries in the parent may have caught SIGTERM, with which a pool ends its processes; a forked one would wait for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run(jobs: _Jobs, workers: int) -> Iterable[Truth]:
    """In this process for few images, else in forked ones: they see the samples without a copy, and share the memory of the pixels."""
    global _jobs  # noqa: PLW0603 - how a forked process finds what can't be pickled
    count = len(jobs.images)
    if workers < 2 or count < 64 * CHUNK or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(jobs.do, range(count))
        return
    _jobs = jobs
    try:
        with multiprocessing.get_context("fork").Pool(workers, _end_on_signals) as pool:
            yield from pool.imap_unordered(_do, range(count), CHUNK)
            pool.close()
            pool.join()  # before the pool ends them by a signal
    finally:
        _jobs = None
