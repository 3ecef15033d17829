"""Pseudo-labels (Lee 2013): detectors add boxes of the classes that a dataset does not label; several of them must agree."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from edgecnn.data.ensemble import SAME_OBJECT_IOU, Combined, Consensus, Trust, combine
from edgecnn.data.prediction_cache import PredictionCache
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.labels import normalize
from edgecnn.metrics.match import iou_matrix
from edgecnn.tasks import find
from edgecnn.types import Boxes, Detections, Image

Predict = Callable[[Image], Detections]
Progress = Callable[[int, int], None]
CONSENSUS = Consensus()
WRITE_EVERY_S = 20.0  # a killed run loses the predictions of so long
LOWER = 0.2  # weaker boxes of a teacher do not count


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabeler:
    """A detector that labels images, with its class names as in the dataset, its file name and SHA-256.

    ``settings`` are plain values that change its predictions, such as a decoder that the file does not name. Boxes below ``lower`` do
    not count. ``trust`` has the scores from which a box is a label; other boxes become crowd boxes, which training ignores because they
    are uncertain. Raises ``ValueError`` unless 0 < lower <= threshold <= alone <= 1 and weight > 0.
    """

    predict: Predict
    labels: tuple[str, ...]
    name: str
    sha256: str = ""
    lower: float = LOWER
    trust: Trust = field(default_factory=Trust)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.lower <= self.trust.threshold <= self.trust.alone <= 1 or not self.trust.weight > 0:
            raise ValueError(f"lower {self.lower} and {self.trust} are not 0 < lower <= threshold <= alone <= 1 and weight > 0")

    def classes(self, labels: Sequence[str]) -> dict[int, int]:
        """Map the detector's class ids to the ids of the same names in ``labels``; raises ``InputError`` if no name matches."""
        ids = {normalize(name): index for index, name in enumerate(labels)}
        found = {index: ids[normalize(name)] for index, name in enumerate(self.labels) if normalize(name) in ids}
        if not found:
            raise InputError(
                f"the teacher {self.name} knows none of {', '.join(labels)}, but {', '.join(self.labels)}",
                "map them with rename=",
            )
        return found

    def record(self) -> dict[str, Any]:
        """Plain values for a card."""
        scores = {"lower": self.lower, **dataclasses.asdict(self.trust)}
        return {
            "teacher": self.name,
            "sha256": self.sha256,
            **scores,
            **({"settings": dict(self.settings)} if self.settings else {}),
        }

    def key(self) -> str:
        """What its predictions depend on."""
        settings = [f"{name}={value}" for name, value in sorted(self.settings.items())]
        return " ".join([self.sha256, ", ".join(self.labels), *settings])


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabelled:
    """A dataset with pseudo-labels: by class name ``boxes`` objects, of which ``agreed`` were found by several teachers, and
    ``ignored`` crowd boxes were added, in ``images`` images. ``record`` has this and the teachers as plain values, for a card; it is
    empty where nothing was to be filled.
    """

    dataset: Dataset
    boxes: Mapping[str, int] = field(default_factory=dict)
    agreed: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    images: int = 0
    record: Mapping[str, Any] = field(default_factory=dict)


def pseudo_label(
    dataset: Dataset,
    teachers: Sequence[PseudoLabeler],
    consensus: Consensus = CONSENSUS,
    *,
    cache: Callable[[PseudoLabeler], Path] | None = None,
    progress: Progress | None = None,
) -> PseudoLabelled:
    """Add the boxes that ``teachers`` find of the classes that are not labelled in an image.

    Where several teachers know a class, ``consensus`` says which boxes become objects (``edgecnn.data.ensemble.combine``). A box with an
    IoU of at least 0.5 with a true box of its class is the same object. ``cache`` gives a .json file for the predictions of each teacher.
    Raises ``InputError`` for a dataset without boxes, and for a teacher that knows none of its classes.
    """
    if not find(dataset.task).has_boxes:
        raise InputError(f"pseudo-labels need a dataset of boxes, but {dataset.name} is one to {dataset.task}", "name another")
    open_classes = dataset.unlabelled.union(*(sample.unlabelled for sample in dataset.samples))
    known = [_Known.of(teacher, dataset, open_classes, cache) for teacher in teachers]
    filler = _Filler([one for one in known if one.fills], consensus)
    if not filler.filled:
        return PseudoLabelled(dataset)
    samples, written = [], monotonic()
    try:
        for index, sample in enumerate(dataset.samples):
            samples.append(filler.fill(sample))
            if monotonic() - written > WRITE_EVERY_S:
                filler.write()
                written = monotonic()
            if progress is not None:
                progress(index + 1, len(dataset))
    finally:
        filler.write()  # predictions take long: those of a stopped run are used by the next
    return filler.result(dataset, samples)


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A teacher, its classes as those of the dataset, and which of the latter it ``fills``."""

    teacher: PseudoLabeler
    classes: dict[int, int]
    fills: frozenset[int]
    cache: PredictionCache

    @classmethod
    def of(
        cls, teacher: PseudoLabeler, dataset: Dataset, wanted: frozenset[int], cache: Callable[[PseudoLabeler], Path] | None
    ) -> _Known:
        classes = teacher.classes(dataset.labels)
        fills = wanted & set(classes.values())
        path = cache(teacher) if cache and fills else None
        return cls(teacher, classes, fills, PredictionCache(path, teacher.key(), classes, teacher.lower, dataset.labels))

    def find(self, sample: Sample, image: Callable[[], Image]) -> Detections:
        """Its boxes in classes of the dataset."""
        found = self.cache.get(sample)
        if found is None:
            found = _mapped(self.teacher.predict(image()), self.classes)
            self.cache.add(sample, found)
        return found[found.score >= self.teacher.lower]


def _mapped(found: Detections, classes: Mapping[int, int]) -> Detections:
    ids = np.array([classes.get(int(class_id), -1) for class_id in found.class_id], np.int64)
    return Detections(found.xyxy[ids >= 0], found.score[ids >= 0], ids[ids >= 0])


class _Filler:
    """Fills the classes that are not labelled, and counts what was added."""

    def __init__(self, known: Sequence[_Known], consensus: Consensus) -> None:
        self._known, self._consensus = known, consensus
        self.filled = frozenset[int]().union(*(one.fills for one in known))
        self._by_class = {target: [one for one in known if target in one.fills] for target in sorted(self.filled)}
        self._boxes, self._agreed, self._ignored = Counter[int](), Counter[int](), Counter[int]()
        self._images = 0

    def fill(self, sample: Sample) -> Sample:
        """The sample with the teachers' boxes of its unlabelled classes."""
        wanted = sample.unlabelled & self.filled
        if not wanted or sample.boxes is None:
            return sample
        self._images += 1
        image = _ReadOnce(sample)
        found = {id(one): one.find(sample, image) for one in self._known}
        boxes = sample.boxes
        for target in sorted(wanted):
            knowing = self._by_class[target]
            of_class = [found[id(one)][found[id(one)].class_id == target] for one in knowing]
            boxes = self._added(boxes, target, combine(of_class, [one.teacher.trust for one in knowing], self._consensus))
        return dataclasses.replace(sample, boxes=boxes, unlabelled=sample.unlabelled - wanted)

    def _added(self, true: Boxes, target: int, found: Combined) -> Boxes:
        # boxes of other classes may overlap: only a true box of the same class is the same object
        same = iou_matrix(found.xyxy, true.xyxy[true.class_id == target]).max(1, initial=0) >= SAME_OBJECT_IOU
        xyxy, sure, votes = found.xyxy[~same], found.sure[~same], found.votes[~same]
        self._boxes[target] += int(sure.sum())
        self._agreed[target] += int((sure & (votes > 1)).sum())
        self._ignored[target] += int((~sure).sum())
        crowd = np.zeros(len(true), np.bool_) if true.crowd is None else true.crowd
        return Boxes(
            np.concatenate([true.xyxy, xyxy]).astype(np.float32),
            np.concatenate([true.class_id, np.full(len(xyxy), target, np.int64)]),
            # uncertain boxes become crowds: the loss ignores these regions, as the object may be real or not
            crowd=np.concatenate([crowd, ~sure]),
        )

    def write(self) -> None:
        """Write the predictions of all teachers that have a file for them; raises ``InputError``."""
        for one in self._known:
            one.cache.write()

    def result(self, dataset: Dataset, samples: list[Sample]) -> PseudoLabelled:
        """The dataset of the filled samples with all counts."""
        counts = {"boxes": self._boxes, "agreed": self._agreed, "ignored": self._ignored}
        named = {
            kind: {dataset.labels[target]: count[target] for target in sorted(self.filled)} for kind, count in counts.items()
        }
        record = {
            "teachers": [
                {**one.teacher.record(), "classes": [dataset.labels[target] for target in sorted(one.fills)]}
                for one in self._known
            ],
            **dataclasses.asdict(self._consensus),
            "images": self._images,
            **named,
        }
        whole = dataclasses.replace(dataset, samples=samples, unlabelled=dataset.unlabelled - self.filled)
        return PseudoLabelled(whole, **named, images=self._images, record=record)


class _ReadOnce:
    """Reads the image of a sample when the first teacher needs it."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._image: Image | None = None

    def __call__(self) -> Image:
        if self._image is None:
            self._image = self._sample.read()
        return self._image
