"""What a model says of images of the size of its input, judged against their ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.metrics.classmap import ClassMap
from edgecnn.metrics.match import iou_matrix
from edgecnn.trust.attribution.many import ManyImages
from edgecnn.trust.attribution.target import Target
from edgecnn.trust.judgement import Judgement, judge
from edgecnn.trust.shortcuts.changes import ImageChange, largest
from edgecnn.trust.shortcuts.effect import ChangeTrial
from edgecnn.trust.shortcuts.subject import Subject
from edgecnn.types import Classes, Detections, Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A prediction and its judgement; ``words`` is what it says, for a picture."""

    prediction: Prediction
    judgement: Judgement
    words: str


class Answers:
    """Asks the model; ``classes`` maps its classes to those of the dataset, whose names are ``labels``."""

    def __init__(self, many: ManyImages, classes: ClassMap, labels: Sequence[str], names: Sequence[str]) -> None:
        self._many, self._classes, self._labels, self._names = many, classes, labels, names

    def __call__(self, subjects: Sequence[Subject]) -> list[Answer]:
        """The answer for each subject."""
        predictions = self._many(np.stack([subject.image for subject in subjects]))
        return [self._answer(one, subject) for one, subject in zip(predictions, subjects, strict=True)]

    @staticmethod
    def trial(change: ImageChange, before: Judgement, after: Judgement) -> ChangeTrial | None:
        """What ``change`` did to one image; None where there is no instance that counts."""
        if not len(before):
            return None
        if np.isnan(before.xyxy).any():  # the instance is the whole image
            return _trial(before, after, slice(None), int(before.truth[0]))
        chosen = slice(largest(before.xyxy), largest(before.xyxy) + 1) if change.one else slice(None)
        return _trial(before, after, chosen, -1)

    def target(self, answer: Answer) -> Target | None:
        """What is explained: the class that the model says, or the detection of the largest object; None where it was not found."""
        prediction = answer.prediction
        if isinstance(prediction, Classes):
            return Target(prediction.top1)
        if not isinstance(prediction, Detections) or not answer.judgement.right.any():
            return None
        found = np.flatnonzero(answer.judgement.right)
        instance = found[largest(answer.judgement.xyxy[found])]
        overlap = iou_matrix(answer.judgement.xyxy[instance][None], prediction.xyxy)[0]
        is_right = self._classes.dataset_class[prediction.class_id] == answer.judgement.truth[instance]
        fits = is_right & self._classes.shown.passes(prediction)
        row = int(np.where(fits, overlap, -1.0).argmax())
        return Target(int(prediction.class_id[row]), prediction.xyxy[row])

    def truth(self, subject: Subject) -> str:
        """The true class or classes, in words."""
        return ", ".join(self._labels[index] for index in sorted(subject.sample.classes)) or "nothing"

    def _answer(self, prediction: Prediction, subject: Subject) -> Answer:
        judgement = judge(prediction, subject.sample, self._classes)
        return Answer(prediction, judgement, self._words(prediction, judgement))

    def _words(self, prediction: Prediction, judgement: Judgement) -> str:
        if isinstance(prediction, Classes):
            index = prediction.top1
            name = self._names[index] if index < len(self._names) else f"class {index}"
            return f"says {name} {prediction.score[index]:.2f}"
        return f"{int(judgement.right.sum())} of {len(judgement)} found"


def _trial(before: Judgement, after: Judgement, chosen: slice, truth: int) -> ChangeTrial:
    return ChangeTrial(
        truth,
        int(before.said[0]),
        int(after.said[0]),
        len(before.right[chosen]),
        int(before.right[chosen].sum()),
        int(after.right[chosen].sum()),
    )
