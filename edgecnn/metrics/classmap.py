"""Which class of a model is which class of a dataset: by name, however it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgecnn.card import Task
from edgecnn.errors import InputError
from edgecnn.types import Array, Classes, Detections, Float32, Int64

UNNAMED = re.compile(r"(class|label|id)?[ _-]?\d+")
SHOWN = 8
# COCO's classes in the spelling of Pascal VOC, which darknet's coco.names and the detectors after it use.
SAME = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """``data_of`` (M,) int64: for each class of the model the class of the dataset, -1 where it has none.

    Several classes of the model may be one of the dataset. ``count`` is the number of classes of the dataset, ``notes`` say what
    one side has and the other lacks.
    """

    data_of: Int64
    count: int
    notes: tuple[str, ...] = field(default_factory=tuple)

    def detections(self, found: Detections) -> Detections:
        """The detections with class ids of the dataset, those of other classes left out."""
        self._check(int(found.class_id.max(initial=-1)) + 1)
        ids = self.data_of[found.class_id]
        kept = found[ids >= 0]
        return Detections(kept.xyxy, kept.score, ids[ids >= 0], kept.track_id)

    def scores(self, found: Classes) -> Float32:
        """Scores (C,) in the order of the dataset's classes: the best of the model's classes, -inf where it has none."""
        self._check(len(found.score))
        scores = np.full(self.count, -np.inf, np.float32)
        here = np.flatnonzero(self.data_of[: len(found.score)] >= 0)
        np.maximum.at(scores, self.data_of[here], np.nan_to_num(found.score[here], nan=-np.inf))
        return scores

    def _check(self, classes: int) -> None:
        if classes > len(self.data_of):
            raise InputError(
                f"{classes} class names, as the model gives", f"{len(self.data_of)}", "correct the names with --labels"
            )


def normalised(name: str) -> str:
    """Lower case, one space between words, VOC's names as COCO's: "With_Mask" is "with mask", "sofa" is "couch"."""
    words = " ".join(re.split(r"[\s_-]+", name.strip().casefold()))
    return SAME.get(words, words)


def identity(count: int) -> ClassMap:
    """The map of a model that was trained on this very dataset."""
    return ClassMap(np.arange(count, dtype=np.int64), count)


def rename(names: Sequence[str], renames: Mapping[str, str]) -> tuple[str, ...]:
    """The names with those of ``renames`` changed; how a name is written does not matter."""
    changed = {normalised(old): new for old, new in renames.items()}
    return tuple(changed.get(normalised(name), name) for name in names)


def match_labels(model: Sequence[str], data: Sequence[str], task: Task = "classify") -> ClassMap:
    """Match the classes of a model with those of a dataset by name; by position where the model has no names and as many classes.

    To ``regress``, a single value of the model is the single value of the dataset, whatever it is called.
    Raises ``InputError`` with both lists where they have no name in common, or where the dataset has no classes.
    """
    if not data:
        raise InputError("a dataset with labels or boxes", "images only", "name a labelled dataset")
    ids = {normalised(name): index for index, name in reversed(list(enumerate(data)))}
    data_of = np.array([ids.get(normalised(name), -1) for name in model], np.int64)
    if (data_of >= 0).any():
        return ClassMap(data_of, len(data), _notes(model, data, data_of))
    if task == "regress" and len(model) == len(data) == 1:
        return ClassMap(np.zeros(1, np.int64), 1, (f"the model's {model[0]} was measured as {data[0]}",))
    if not model or (len(model) == len(data) and all(UNNAMED.fullmatch(name.strip().casefold()) for name in model)):
        note = "the model's classes have no names: they were matched with the dataset's by position"
        return ClassMap(np.arange(len(data), dtype=np.int64), len(data), (note,))
    raise InputError(
        f"classes of the dataset ({shown(data)}) that the model knows too",
        f"{shown(model)} in the model",
        'say which is which with --map "name=name,...", --merge NAME for a single class, or correct --labels',
    )


def shown(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:SHOWN]) + (f", ... ({len(names)} in all)" if len(names) > SHOWN else "")


def _notes(model: Sequence[str], data: Sequence[str], data_of: Array) -> tuple[str, ...]:
    known = set(data_of.tolist())
    unknown = [name for index, name in enumerate(data) if index not in known]
    unused = [name for name, index in zip(model, data_of, strict=True) if index < 0]
    notes = []
    if unknown:
        notes.append(f"the model lacks {len(unknown)} of the dataset's {len(data)} classes, they score 0: {shown(unknown)}")
    if unused:
        notes.append(
            f"{len(unused)} of the model's {len(model)} classes are not in the dataset, they are ignored: {shown(unused)}"
        )
    return tuple(notes)
