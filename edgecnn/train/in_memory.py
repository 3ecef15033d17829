"""Loads a dataset into memory: images resized once to the model's input size as uint8, ground truth in input pixels."""

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
from edgecnn.data.image_files import ImageError
from edgecnn.data.problems import check_strict, problem_lines, to_stderr
from edgecnn.errors import InputError
from edgecnn.geometry import mask_to_input, points_to_input
from edgecnn.preprocess import resize_into
from edgecnn.reference_profile.content_hash import content_hash
from edgecnn.tasks import find
from edgecnn.train.prefetch import can_fork
from edgecnn.types import Float32, Image, Int64

CHUNK = 16  # images that a process reads between two messages to the parent


@dataclass(frozen=True, slots=True, eq=False)
class InMemoryImages:
    """``images`` (n, h, w, c) uint8 in the card's color order, with ``labels`` (n,) int64, ``boxes``, or ``values`` (n,) float32.

    ``labelled`` (n, C) bool: whether a class is labelled in an image. ``masks`` are (h, w) uint8, ``points`` (objects, K, 3) float32
    those of ``boxes``. ``label_sets`` (n, C) bool: the labels of each image, where it has any number. ``contents`` are the content
    hashes of the images as they were read.
    """

    images: Image
    labels: Int64
    boxes: tuple[Boxes, ...]
    values: Float32
    labelled: NDArray[np.bool_]
    label_sets: NDArray[np.bool_]
    masks: tuple[Image, ...] = ()
    points: tuple[Float32, ...] = ()
    contents: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTarget:
    """The ground truth of image ``index``, or the ``problem`` for which it could not be read."""

    index: int
    label: int = -1
    value: float = math.nan
    boxes: Boxes | None = None
    unlabelled: frozenset[int] = frozenset()
    labels: frozenset[int] = frozenset()
    problem: Problem | None = None
    mask: Image | None = None
    points: Float32 | None = None
    content: int = 0


def load(
    datasets: Sequence[Dataset],
    preprocess: Preprocess,
    *,
    workers: int = 1,
    quiet: bool = False,
    strict: bool = False,
    warn: Callable[[str], None] = to_stderr,
) -> InMemoryImages:
    """Read and resize all samples of ``datasets``, in ``workers`` processes where the system can fork.

    An image that can't be read is left out and reported through ``warn``; with ``strict`` it raises.
    Raises ``InputError`` for datasets without ground truth or too large for the memory, or where no image can be read.
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


def _tell(truths: Sequence[LoadedTarget], datasets: Sequence[Dataset], strict: bool, warn: Callable[[str], None]) -> None:
    problems = tuple(truth.problem for truth in truths if truth.problem)
    found = dataclasses.replace(datasets[0], name=", ".join(dataset.name for dataset in datasets), problems=problems)
    if len(problems) == len(truths):
        why = f"no image that can be read ({problems[0].what})" if problems else "no images"
        raise InputError(f"{found.name} has {why}", "check the dataset")
    if strict:
        check_strict(found)
    for line in problem_lines(found):
        warn(line)


def _pixels(images: Image, truths: Sequence[LoadedTarget], classes: int) -> InMemoryImages:
    """The images that were read, without the gaps of those that could not be."""
    labelled, label_sets = np.ones((len(truths), classes), np.bool_), np.zeros((len(truths), classes), np.bool_)
    for index, truth in enumerate(truths):
        labelled[index, list(truth.unlabelled)] = False
        label_sets[index, list(truth.labels)] = True
    return InMemoryImages(
        images if len(truths) == len(images) else images[[truth.index for truth in truths]],
        np.array([truth.label for truth in truths], np.int64),
        tuple(truth.boxes for truth in truths if truth.boxes is not None),
        np.array([truth.value for truth in truths], np.float32),
        labelled,
        label_sets,
        tuple(truth.mask for truth in truths if truth.mask is not None),
        tuple(truth.points for truth in truths if truth.points is not None),
        tuple(truth.content for truth in truths),
    )


def _shared(shape: tuple[int, ...]) -> Image:
    """An anonymous memory map of zeros, which forked processes share: they write images without sending them through a pipe."""
    try:
        memory = mmap.mmap(-1, max(int(np.prod(shape)), 1))
    except (OSError, MemoryError, OverflowError) as error:
        size = np.prod(shape) / 2**30
        raise InputError(f"{shape[0]} images need {size:.1f} GiB of memory ({error})", "use fewer images: --limit N") from error
    return np.frombuffer(memory, np.uint8, int(np.prod(shape))).reshape(shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Jobs:
    datasets: Sequence[Dataset]
    preprocess: Preprocess
    images: Image

    def do(self, index: int) -> LoadedTarget:
        """Read image ``index`` into its row of ``images``, and give its ground truth."""
        sample = self._sample(index)
        try:
            image = sample.read()
            place = resize_into(image, self.preprocess, self.images[index])
            mask = None if sample.mask is None else mask_to_input(sample.mask(), place, self.preprocess.size)
        except InputError as error:
            reason = error.reason if isinstance(error, ImageError) else error.problem
            return LoadedTarget(index, problem=Problem(sample.name, reason))
        label = -1 if sample.label is None else sample.label
        value = math.nan if sample.value is None else sample.value
        boxes = sample.boxes
        if boxes is not None:
            boxes = Boxes(place.to_input(boxes.xyxy).astype(np.float32), boxes.class_id, None, boxes.crowd)
        points = None if sample.points is None else points_to_input(sample.points, place)
        return LoadedTarget(
            index,
            int(label),
            value,
            boxes,
            sample.unlabelled,
            labels=sample.labels or frozenset(),
            mask=mask,
            points=points,
            content=content_hash(image),
        )

    def _sample(self, index: int) -> Sample:
        """Sample ``index`` of all datasets; created here, in the worker: rendering one of the scene takes as long as reading one."""
        for dataset in self.datasets:
            if index < len(dataset):
                sample = dataset.samples[index]
                if getattr(sample, find(dataset.task).truth) is None:
                    raise InputError(f"{sample.name} of {dataset.name} has no ground truth", "name a labelled dataset")
                return sample
            index -= len(dataset)
        raise IndexError(index)


_jobs: _Jobs | None = None


def _do(index: int) -> LoadedTarget:
    assert _jobs is not None
    return _jobs.do(index)


def _end_on_signals() -> None:
    """Reset SIGTERM: a pool terminates its processes by it, and a handler inherited from the parent would prevent that."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run(jobs: _Jobs, workers: int) -> Iterable[LoadedTarget]:
    """Run the jobs in this process for few images, else in forked processes that inherit the samples and share the image memory."""
    global _jobs  # noqa: PLW0603 - inherited by the forked processes: datasets can't be pickled
    count = len(jobs.images)
    if workers < 2 or count < 64 * CHUNK or not can_fork():
        yield from map(jobs.do, range(count))
        return
    _jobs = jobs
    try:
        with multiprocessing.get_context("fork").Pool(workers, _end_on_signals) as pool:
            yield from pool.imap_unordered(_do, range(count), CHUNK)
            pool.close()
            pool.join()  # else leaving the block would terminate processes that are still writing
    finally:
        _jobs = None
