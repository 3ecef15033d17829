"""Maps the classes of a model to the classes of a dataset by name, ignoring case and separators."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecnn.errors import InputError
from edgecnn.labels import normalize
from edgecnn.shown_scores import ShownScores
from edgecnn.types import NO_CLASS, Array, Classes, Detections, Float32, Int64, LabelScores, Mask, Poses

UNNAMED = re.compile(r"(class|label|id)?[ _-]?\d+")
SHOWN = 8


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """``dataset_class`` (M,) int64: for each class of the model the class of the dataset, -1 for none.

    Several classes of the model may map to the same class. ``count`` is the number of classes of the dataset; ``notes`` list which
    classes only one of the two has. ``shown`` are the scores from which boxes of the model's classes are shown.
    """

    dataset_class: Int64
    count: int
    notes: tuple[str, ...] = field(default_factory=tuple)
    shown: ShownScores = field(default_factory=ShownScores)
    _same: bool = field(init=False)  # the classes of both are the same, in the same order

    def __post_init__(self) -> None:
        object.__setattr__(self, "_same", np.array_equal(self.dataset_class, np.arange(self.count)))

    def detections(self, predicted: Detections) -> Detections:
        """The detections with class ids of the dataset, without those of unmapped classes."""
        self._check(int(predicted.class_id.max(initial=-1)) + 1)
        ids = self.dataset_class[predicted.class_id]
        kept = predicted[ids >= 0]
        return dataclasses.replace(kept, class_id=ids[ids >= 0])

    @property
    def shown_of_dataset(self) -> ShownScores:
        """The scores for the classes of the dataset: the lowest of those of the model that are mapped to it."""
        own: dict[int, float] = {}
        if self.shown.own:
            for class_id, place in enumerate(self.dataset_class.tolist()):
                if place >= 0:
                    own[place] = min(own.get(place, 1.0), self.shown.one(class_id))
        return ShownScores(self.shown.usual, own)

    def scores(self, predicted: Classes | LabelScores) -> Float32:
        """Scores (C,) in the order of the dataset's classes: the highest of the classes mapped to it, -inf for none."""
        self._check(len(predicted.score))
        if self._same and len(predicted.score) == self.count and not np.isnan(predicted.score).any():
            own: Float32 = predicted.score.copy()
            return own
        scores = np.full(self.count, -np.inf, np.float32)
        here = np.flatnonzero(self.dataset_class[: len(predicted.score)] >= 0)
        # maximum.at, because several classes of the model may share an index; NaN would win every comparison
        np.maximum.at(scores, self.dataset_class[here], np.nan_to_num(predicted.score[here], nan=-np.inf))
        return scores

    def mask(self, predicted: Mask) -> Mask:
        """The mask with class ids of the dataset; NO_CLASS for pixels of unmapped classes."""
        table = np.full(NO_CLASS + 1, NO_CLASS, np.uint8)
        known = np.flatnonzero(self.dataset_class >= 0)
        table[known] = self.dataset_class[known]
        return Mask(table[predicted.class_id])

    def poses(self, predicted: Poses) -> Poses:
        """The poses with the key points of the dataset in its order; those that the model lacks are at 0, 0."""
        self._check(predicted.points.shape[1])
        points = np.zeros((len(predicted), self.count, 3), np.float32)
        known = np.flatnonzero(self.dataset_class[: predicted.points.shape[1]] >= 0)
        points[:, self.dataset_class[known]] = predicted.points[:, known]
        return Poses(points, predicted.score, predicted.xyxy, predicted.skeleton)

    def _check(self, classes: int) -> None:
        if classes > len(self.dataset_class):
            raise InputError(
                f"the model has {classes} classes, but {len(self.dataset_class)} class names", "correct the names with --labels"
            )


def identity(count: int) -> ClassMap:
    """The map of a model with the same classes as the dataset."""
    return ClassMap(np.arange(count, dtype=np.int64), count)


def match_labels(model: Sequence[str], data: Sequence[str]) -> ClassMap:
    """Match the classes of a model with those of a dataset by name; by position if the model has no names and as many classes.

    Raises ``InputError`` with both lists where they have no name in common, or where the dataset has no classes.
    """
    if not data:
        raise InputError("the dataset has images, but no labels or boxes", "name a labelled dataset")
    # reversed: of equal names the first class wins
    ids = {normalize(name): index for index, name in reversed(list(enumerate(data)))}
    dataset_class = np.array([ids.get(normalize(name), -1) for name in model], np.int64)
    if (dataset_class >= 0).any():
        return ClassMap(dataset_class, len(data), _notes(model, data, dataset_class))
    if not model or (len(model) == len(data) and all(UNNAMED.fullmatch(name.strip().casefold()) for name in model)):
        note = "the model's classes have no names: they were matched to the dataset's by position"
        return ClassMap(np.arange(len(data), dtype=np.int64), len(data), (note,))
    raise InputError(
        f"the model and the dataset have no class in common: the model has {shown(model)}; the dataset has {shown(data)}",
        "map the classes in the address of the dataset: ?rename=a:b, ?merge=NAME, or ?labels=a,b where its files only number them",
    )


def only_value(model: Sequence[str], data: Sequence[str]) -> ClassMap | None:
    """The map of the only value of a model to the only value of a dataset that has another name; None where it is not so."""
    if len(model) == len(data) == 1 and normalize(model[0]) != normalize(data[0]):
        return ClassMap(np.zeros(1, np.int64), 1, (f"the model's {model[0]} was measured as {data[0]}",))
    return None


def shown(names: Sequence[str]) -> str:
    """The first few names and how many there are in all."""
    return ", ".join(names[:SHOWN]) + (f", ... ({len(names)} in all)" if len(names) > SHOWN else "")


def _same_names(names: Sequence[str]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(normalize(name), []).append(name)
    return [same for same in found.values() if len(same) > 1]


def _notes(model: Sequence[str], data: Sequence[str], dataset_class: Array) -> tuple[str, ...]:
    known = set(dataset_class.tolist())
    unknown = [name for index, name in enumerate(data) if index not in known]
    unused = [name for name, index in zip(model, dataset_class, strict=True) if index < 0]
    notes = [
        f"{whose} has several classes that are one name but for case and separators ({' and '.join(names)}); {what}"
        for whose, own, what in (
            ("the dataset", data, "only the first is compared"),
            ("the model", model, "they count as one class"),
        )
        for names in _same_names(own)
    ]
    if unknown:
        notes.append(f"the model lacks {len(unknown)} of the dataset's {len(data)} classes, they score 0: {shown(unknown)}")
    if unused:
        notes.append(
            f"{len(unused)} of the model's {len(model)} classes are not in the dataset, they are ignored: {shown(unused)}"
        )
    return tuple(notes)
