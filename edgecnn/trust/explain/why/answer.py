"""What a model says of an image, and whether it still says the same of a changed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.errors import InputError
from edgecnn.labels import label_of
from edgecnn.metrics.match import iou_matrix
from edgecnn.shown_scores import ShownScores
from edgecnn.tasks import for_prediction
from edgecnn.trust.attribution.target import Target
from edgecnn.types import Classes, Detections, Float32, Image, Prediction

SAME_PLACE = 0.5  # overlap of boxes of one object
LOW, HIGH = 1e-6, 1 - 1e-6  # probabilities beyond are the rounding of a file


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """A class with its score, and for a detector the box (4,) xyxy in pixels of the network's input.

    ``second`` is the class with the next highest score, with ``second_score``; for a detector that of a box at the same place, -1 where
    there is none.
    """

    class_id: int
    name: str
    score: float
    box: Float32 | None
    second: int
    second_name: str
    second_score: float

    @property
    def target(self) -> Target:
        """What a map of evidence explains."""
        return Target(self.class_id, self.box)


class Asked:
    """Asks a classifier or a detector about images (n, h, w, 3) uint8 BGR of the size of its input; ``images`` counts them."""

    def __init__(
        self, many: Callable[[Image], list[Prediction]], labels: Sequence[str], shown: ShownScores | None = None
    ) -> None:
        self._many, self._labels, self._shown = many, labels, shown or ShownScores()
        self.images = 0

    def first(self, image: Image) -> Said | None:
        """The answer for one image: the best class, or of the boxes that are shown the one with the highest score; None without one.

        Raises ``InputError`` for a model of another task.
        """
        prediction = self._predict(image[None])[0]
        if isinstance(prediction, Classes):
            return self._class(prediction)
        if not isinstance(prediction, Detections):
            model = for_prediction(prediction).model_of(prediction)
            raise InputError(
                f"what changes an answer is searched for classifiers and detectors, not for {model}", "name another model"
            )
        kept = np.flatnonzero(self._shown.passes(prediction))
        return self._box(prediction, int(kept[prediction.score[kept].argmax()])) if len(kept) else None

    def again(self, images: Image, said: Said, boxes: Float32 | None = None) -> list[Said | None]:
        """The answers for changed images: the class, or of a detector the best box at the place of ``said``; None where it is lost.

        ``boxes`` (n, 4) are the places in the images, where the object moved.
        """
        return [
            self._answer(one, place) for one, place in zip(self._predict(images), self._places(images, said, boxes), strict=True)
        ]

    def support(self, images: Image, said: Said, boxes: Float32 | None = None) -> Float32:
        """By how much each answer (n,) is still the one of ``said``: negative where it changed.

        For a classifier the logit of the class minus the highest other one, for a detector the score of the class at the place minus
        that of another class there, or the threshold.
        """
        places = self._places(images, said, boxes)
        return np.array(
            [self._support(one, said, place) for one, place in zip(self._predict(images), places, strict=True)], np.float32
        )

    def predicted(self, images: Image) -> list[int]:
        """The best class in each image, of a classifier."""
        return [one.top1 if isinstance(one, Classes) else -1 for one in self._predict(images)]

    def _predict(self, images: Image) -> list[Prediction]:
        self.images += len(images)
        return self._many(images)

    @staticmethod
    def _places(images: Image, said: Said, boxes: Float32 | None) -> Sequence[Float32 | None]:
        return [said.box] * len(images) if boxes is None else list(boxes)

    def _answer(self, prediction: Prediction, place: Float32 | None) -> Said | None:
        if isinstance(prediction, Classes):
            return self._class(prediction)
        assert isinstance(prediction, Detections)
        assert place is not None
        near = np.flatnonzero(_near(prediction, place) & self._shown.passes(prediction))
        return None if not len(near) else self._box(prediction, int(near[prediction.score[near].argmax()]))

    def _support(self, prediction: Prediction, said: Said, place: Float32 | None) -> float:
        if isinstance(prediction, Classes):
            logits = _logits(prediction.score)
            return float(logits[said.class_id] - np.delete(logits, said.class_id).max(initial=-np.inf))
        assert isinstance(prediction, Detections)
        assert place is not None
        near = _near(prediction, place)
        own = prediction.score[near & (prediction.class_id == said.class_id)].max(initial=0.0)
        other = prediction.score[near & (prediction.class_id != said.class_id)].max(initial=0.0)
        return float(own - max(other, self._shown.one(said.class_id)))

    def _class(self, prediction: Classes) -> Said:
        order = np.argsort(-prediction.score, kind="stable")
        return self._said(int(order[0]), float(prediction.score[order[0]]), None, *self._next(order, prediction.score))

    @staticmethod
    def _next(order: np.ndarray[tuple[int, ...], np.dtype[np.int64]], score: Float32) -> tuple[int, float]:
        return (int(order[1]), float(score[order[1]])) if len(order) > 1 else (-1, 0.0)

    def _box(self, prediction: Detections, row: int) -> Said:
        class_id, box = int(prediction.class_id[row]), prediction.xyxy[row]
        others = np.flatnonzero(_near(prediction, box) & (prediction.class_id != class_id))
        second, score = -1, 0.0
        if len(others):
            best = int(others[prediction.score[others].argmax()])
            second, score = int(prediction.class_id[best]), float(prediction.score[best])
        return self._said(class_id, float(prediction.score[row]), box, second, score)

    def _said(self, class_id: int, score: float, box: Float32 | None, second: int, second_score: float) -> Said:
        name = label_of(self._labels, second) if second >= 0 else ""
        return Said(class_id, label_of(self._labels, class_id), score, box, second, name, second_score)


def _near(prediction: Detections, place: Float32) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(iou_matrix(place[None], prediction.xyxy)[0] >= SAME_PLACE)


def _logits(score: Float32) -> Float32:
    share = np.clip(score, LOW, HIGH)
    return np.asarray(np.log(share / (1 - share)), np.float32)
