"""What looks on while a file runs on the dataset once: fingerprint, groups, calibration, reference, wrong images."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from edgecnn.benchmarks.measure.evaluation import OpenedModel
from edgecnn.counts import counted
from edgecnn.data.sample import Sample
from edgecnn.errors import InputError
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks.evaluate import Outcome
from edgecnn.trust.gate.box_calibration import BoxCalibration
from edgecnn.trust.groups.collector import GroupCollector
from edgecnn.trust.judgement import judge
from edgecnn.trust.paired.measure import PairedMeasure
from edgecnn.types import Image, Prediction

WORST: Final = 8  # images that are kept as evidence


class ImageWatcher(Protocol):
    """Looks at each image that could be read, and at what the model says of it."""

    def see(self, index: int, sample: Sample, image: Image, found: Prediction) -> None:
        """The image at ``index`` of the dataset."""
        ...


class WatchedOutcomes:
    """What a model says of its dataset; the ``watchers`` see each image with it, so that nothing runs twice."""

    not_finite = 0

    def __init__(self, model: OpenedModel, watchers: Sequence[ImageWatcher]) -> None:
        self._model, self._watchers = model, watchers
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]:
        for index, sample in enumerate(self._model.dataset.samples):
            try:
                image = sample.read()
            except InputError as error:
                self.unreadable.append(f"{sample.name} ({error.problem})")
                yield sample, error
                continue
            found = self._model.predictor(image)
            yield sample, found  # first: what does not fit the task is refused there
            for watcher in self._watchers:
                watcher.see(index, sample, image, found)


class Fingerprint:
    """SHA-256 of the content of the images and of what is true of them, in order; names do not count."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()
        self.images = 0

    def see(self, index: int, sample: Sample, image: Image, found: Prediction) -> None:
        """The next image."""
        self.images += 1
        self._total.update(repr((image.shape, sample.label, sample.value, sorted(sample.labels or ()))).encode())
        self._total.update(np.ascontiguousarray(image).data)
        if sample.boxes is not None:
            self._total.update(np.ascontiguousarray(sample.boxes.xyxy, np.float32).tobytes())
            self._total.update(np.ascontiguousarray(sample.boxes.class_id, np.int64).tobytes())

    @property
    def sha256(self) -> str:
        """In hexadecimal; "" before the first image."""
        return self._total.hexdigest() if self.images else ""


class WatchedGroups:
    """The groups of the instances."""

    def __init__(self, collector: GroupCollector, model: OpenedModel) -> None:
        self.collector, self._classes = collector, model.classes

    def see(self, index: int, sample: Sample, image: Image, found: Prediction) -> None:
        """The next image."""
        self.collector.add(index, image, judge(found, sample, self._classes))


class WatchedCalibration:
    """The calibration of the boxes of a detector."""

    def __init__(self, model: OpenedModel) -> None:
        self.boxes, self._classes = BoxCalibration(), model.classes

    def see(self, index: int, sample: Sample, image: Image, found: Prediction) -> None:
        """The next image."""
        self.boxes.add(judge(found, sample, self._classes))


class WatchedReference:
    """The same images by the float reference."""

    def __init__(self, reference: Predictor, model: OpenedModel) -> None:
        self._reference = reference
        self.measure = PairedMeasure(model.dataset, model.classes)

    def see(self, index: int, sample: Sample, image: Image, found: Prediction) -> None:
        """The next image."""
        self.measure.add(sample, (self._reference(image), found))


class WrongImage(NamedTuple):
    """How wrong an image is, for sorting; its place in the dataset, what the model says of it, and the same in words."""

    wrong: float
    place: int
    found: Prediction
    words: str


class WorstImages:
    """Keeps the images with most that is missed, named wrongly or named though it is not there."""

    def __init__(self, model: OpenedModel) -> None:
        self._classes, self._labels = model.classes, model.dataset.labels
        self._kept: list[tuple[float, int, WrongImage]] = []

    def see(self, index: int, sample: Sample, image: Image, found: Prediction) -> None:
        """The next image."""
        own = judge(found, sample, self._classes)
        wrong = int((~own.right).sum()) + len(own.extra)
        if own.faultless:
            return
        if len(own) == 1 and np.isnan(own.xyxy).any():
            said = "nothing" if own.said[0] < 0 else f"{self._labels[int(own.said[0])]} {own.score[0]:.2f}"
            rank, words = float(own.score[0]), f"{self._labels[int(own.truth[0])]}: says {said}"
        else:
            missed, false = int((~own.right).sum()), len(own.extra)
            rank = wrong + float(own.extra.score.max(initial=0.0))
            words = f"{missed} of {counted(len(own), 'object')} not right, {counted(false, 'false box')}"
        entry = (rank, -index, WrongImage(rank, index, found, words))
        (heapq.heappush if len(self._kept) < WORST else heapq.heappushpop)(self._kept, entry)

    @property
    def worst(self) -> list[WrongImage]:
        """The worst first."""
        return [entry[2] for entry in sorted(self._kept, key=lambda entry: entry[:2], reverse=True)]
