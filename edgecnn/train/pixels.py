"""A dataset in memory: every image resized once by the card's rule, as uint8, with its truth in pixels of the model's input."""

from __future__ import annotations

import mmap
import multiprocessing
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from edgecnn.card import Preprocess
from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.preprocess import resize_into
from edgecnn.types import Image, Int64

CHUNK = 16


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """``images`` (n, h, w, c) uint8 in the card's colour order, and ``labels`` (n,) int64 or ``boxes``, one for each image."""

    images: Image
    labels: Int64
    boxes: tuple[Boxes, ...]

    def __len__(self) -> int:
        return len(self.images)


Truth = tuple[int, int, Boxes | None]


def load(datasets: Sequence[Dataset], preprocess: Preprocess, *, workers: int = 1, quiet: bool = False) -> Pixels:
    """Read and resize all samples of ``datasets``, in ``workers`` processes where the system can fork.

    Raises ``InputError`` for datasets without truth or too large for the memory, or what a sample's reader raises.
    """
    count = sum(len(dataset) for dataset in datasets)
    images = _shared((count, *preprocess.size, preprocess.channels))
    jobs = _Jobs(datasets, preprocess, images)
    bar = tqdm(total=count, desc="reading images", unit="image", disable=quiet or None, leave=False)
    labels = np.full(count, -1, np.int64)
    boxes: list[Boxes | None] = [None] * count
    with bar:
        for index, label, found in _run(jobs, workers):
            labels[index], boxes[index] = label, found
            bar.update()
    return Pixels(images, labels, tuple(box for box in boxes if box is not None))


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
        sample = self._sample(index)
        place = resize_into(sample.read(), self.preprocess, self.images[index])
        if sample.boxes is None:
            return index, int(sample.label if sample.label is not None else -1), None
        truth = sample.boxes
        return index, -1, Boxes(place.to_input(truth.xyxy).astype(np.float32), truth.class_id, None, truth.crowd)

    def _sample(self, index: int) -> Sample:
        """Sample ``index`` of all datasets; it is made here, in the worker, since making one may cost as much as reading it."""
        for dataset in self.datasets:
            if index < len(dataset):
                sample = dataset.samples[index]
                if (sample.label if dataset.task == "classify" else sample.boxes) is None:
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
