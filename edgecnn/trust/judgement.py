"""What a model got right in one image, instance by instance: the base of all comparisons of two models, two conditions or two groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecnn.errors import InputError
from edgecnn.metrics.classmap import ClassMap
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.metrics.object_match import CLASS, ERROR_KINDS, IGNORED, LOCALISATION, MATCH_IOU, RIGHT, ObjectMatch, match_objects
from edgecnn.tasks import for_prediction
from edgecnn.tasks.detect import labelled_only
from edgecnn.tasks.evaluate import Outcome, outcomes
from edgecnn.types import Classes, Detections, Float32, Image, Int64, Prediction

JUDGED = ("classify", "detect")  # tasks whose true instances are known one by one
MISSED = -1  # in ``said``: the model named nothing there


@dataclass(frozen=True, slots=True, eq=False)
class FalsePositives:
    """The k instances that a model named and that are not there, classes as ids of the dataset.

    ``class_id`` (k,) int64, ``score`` (k,) float32, ``xyxy`` (k, 4) float32 pixels, ``kind`` (k,) int64 index of ERROR_KINDS, ``instance``
    (k,) int64: the true instance that the error is charged to, -1 for none.
    """

    class_id: Int64
    score: Float32
    xyxy: Float32
    kind: Int64
    instance: Int64

    def __len__(self) -> int:
        return len(self.class_id)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the errors by name."""
        return [ERROR_KINDS[index] for index in self.kind.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """The n true instances of one image and what a model says of each, classes as ids of the dataset.

    An instance is the whole image (classification, n = 1) or an object that is not ignored (detection). ``truth`` (n,) int64 is its class,
    ``said`` (n,) int64 the class that the model names, MISSED where it names none, ``right`` (n,) bool, ``score`` (n,) float32 that of
    the class said, 0 where missed; ``xyxy`` (n, 4) float32 its true box in pixels, NaN for a whole image; ``row`` (n,) int64 the place
    of the detection that says it, after the classes were mapped and those without labels left out, -1 where there is none.
    ``extra`` is what the model named besides.
    """

    name: str
    truth: Int64
    said: Int64
    right: NDArray[np.bool_]
    score: Float32
    xyxy: Float32
    row: Int64
    extra: FalsePositives

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Instances (n,) bool that no detection is right about, nor wrong only in the class or the place (TIDE's missed objects)."""
        nearly = self.extra.instance[np.isin(self.extra.kind, (LOCALISATION, CLASS))]
        return ~self.right & ~np.isin(np.arange(len(self)), nearly)

    @property
    def faultless(self) -> bool:
        """Whether all instances are right and nothing else is named."""
        return bool(self.right.all()) and not len(self.extra)


def judge(
    prediction: Prediction,
    sample: GroundTruthSample,
    classes: ClassMap,
    *,
    threshold: float | None = None,
    iou: float = MATCH_IOU,
) -> Judgement:
    """What is right in the ``prediction`` for ``sample``; ``classes`` maps the model's classes to the dataset's.

    Detections count from the score ``threshold`` on (None: from those of ``classes.shown``) and are matched as in ``match_objects`` with
    an overlap of ``iou``; detections of classes that are not labelled in the image and those on ignored (crowd) boxes are left out. A
    classifier always says a class. Raises ``InputError`` for predictions of other tasks, and for a sample without the ground truth.
    """
    if isinstance(prediction, Classes):
        return _classified(prediction, sample, classes)
    if isinstance(prediction, Detections):
        return _detected(prediction, sample, classes, threshold, iou)
    task = for_prediction(prediction)
    raise InputError(
        f"this needs a model that names classes of images or of boxes, but the model is {task.model_of(prediction)}",
        "name a classifier or a detector",
    )


class Judged(NamedTuple):
    """A sample, what the model says of it or why it can't be read, and the judgement (None where it can't be read)."""

    sample: GroundTruthSample
    outcome: Outcome
    judgement: Judgement | None


def judged(
    predict: Callable[[Image], Prediction],
    samples: Iterable[GroundTruthSample],
    classes: ClassMap,
    *,
    threshold: float | None = None,
    iou: float = MATCH_IOU,
) -> Iterator[Judged]:
    """Each sample with what ``predict`` says of it and the judgement of that; the arguments are those of ``judge``."""
    return judge_outcomes(outcomes(predict, samples), classes, threshold=threshold, iou=iou)


def judge_outcomes(
    found: Iterable[tuple[GroundTruthSample, Outcome]],
    classes: ClassMap,
    *,
    threshold: float | None = None,
    iou: float = MATCH_IOU,
) -> Iterator[Judged]:
    """The judgements of outcomes that were made elsewhere, one by one."""
    for sample, outcome in found:
        if isinstance(outcome, InputError):
            yield Judged(sample, outcome, None)
        else:
            yield Judged(sample, outcome, judge(outcome, sample, classes, threshold=threshold, iou=iou))


def _classified(prediction: Classes, sample: GroundTruthSample, classes: ClassMap) -> Judgement:
    if sample.label is None:
        raise _misfit(prediction, sample)
    scores = classes.scores(prediction)
    said = int(scores.argmax())
    # without a finite score nothing is said
    said = said if np.isfinite(scores[said]) else MISSED
    score = 0.0 if said == MISSED else scores[said]
    return Judgement(
        name=sample.name,
        truth=np.array([sample.label], np.int64),
        said=np.array([said], np.int64),
        right=np.array([said == sample.label]),
        score=np.array([score], np.float32),
        xyxy=np.full((1, 4), np.nan, np.float32),
        row=np.full(1, -1, np.int64),
        extra=_NOTHING,
    )


def _detected(
    prediction: Detections, sample: GroundTruthSample, classes: ClassMap, threshold: float | None, iou: float
) -> Judgement:
    if sample.boxes is None:
        raise _misfit(prediction, sample)
    mapped = labelled_only(classes.detections(prediction), sample.unlabelled)
    if threshold is None and classes.shown.own:
        of_model = dataclasses.replace(prediction, score=classes.shown.of(prediction.class_id))
        least: Float32 | float = labelled_only(classes.detections(of_model), sample.unlabelled).score
    else:
        least = classes.shown.usual if threshold is None else threshold
    kept = np.flatnonzero(mapped.score >= least)
    found = mapped[kept]
    matched = match_objects(found, sample.boxes, iou=iou)
    said_by = _said_by(matched, found.score)
    named = said_by >= 0
    truth = sample.boxes.class_id
    said, row = np.full(len(truth), MISSED, np.int64), np.full(len(truth), -1, np.int64)
    score = np.zeros(len(truth), np.float32)
    said[named], score[named], row[named] = found.class_id[said_by[named]], found.score[said_by[named]], kept[said_by[named]]
    right = np.zeros(len(truth), np.bool_)
    right[matched.object[matched.kind == RIGHT]] = True
    counts = matched.counts
    return Judgement(
        name=sample.name,
        truth=truth[counts].astype(np.int64),
        said=said[counts],
        right=right[counts],
        score=score[counts],
        xyxy=sample.boxes.xyxy[counts],
        row=row[counts],
        extra=_false_positives(found, matched),
    )


def _said_by(matched: ObjectMatch, score: Float32) -> Int64:
    """Which detection (m,) speaks of each true box: the one that is right, else the best that is wrong only in the class, else -1."""
    said_by = np.full(len(matched.counts), -1, np.int64)
    order = np.argsort(score, kind="stable")  # the best is written last
    for kind in (CLASS, RIGHT):
        rows = order[matched.kind[order] == kind]
        said_by[matched.object[rows]] = rows
    return said_by


def _false_positives(found: Detections, matched: ObjectMatch) -> FalsePositives:
    wrong = (matched.kind != RIGHT) & (matched.kind != IGNORED)
    place = np.append(np.cumsum(matched.counts) - 1, -1)  # of each true box among those that count; the last is for -1
    return FalsePositives(
        found.class_id[wrong], found.score[wrong], found.xyxy[wrong], matched.kind[wrong], place[matched.object[wrong]]
    )


def _misfit(prediction: Prediction, sample: GroundTruthSample) -> InputError:
    task = for_prediction(prediction)
    problem = f"{sample.name} has no {task.truth} to compare with, but the model is {task.model_of(prediction)}"
    return InputError(problem, "name a dataset for the task of the model")


_NONE = np.zeros(0, np.int64)
_NOTHING = FalsePositives(_NONE, np.zeros(0, np.float32), np.zeros((0, 4), np.float32), _NONE, _NONE)
