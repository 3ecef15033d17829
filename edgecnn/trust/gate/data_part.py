"""The budgets that one run over the dataset decides: accuracy, worst class, groups, calibration, loss against the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel, whole_curve
from edgecnn.errors import InputError
from edgecnn.metrics.score import IN_UNITS, TITLES
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks import find
from edgecnn.trust.accuracy.measure import DetailedEvaluation, measure_in_detail
from edgecnn.trust.gate.data_verdicts import (
    METRICS,
    CalibrationError,
    accuracy_verdicts,
    calibration_verdicts,
    check_metric,
    drop_verdict,
    group_verdicts,
)
from edgecnn.trust.gate.policy import GroupBudget, Policy
from edgecnn.trust.gate.verdict import BudgetVerdict
from edgecnn.trust.gate.watchers import (
    Fingerprint,
    ImageWatcher,
    WatchedCalibration,
    WatchedGroups,
    WatchedOutcomes,
    WatchedReference,
    WorstImages,
    WrongImage,
)
from edgecnn.trust.groups.collector import GroupCollector
from edgecnn.trust.groups.group_key import parse_group_key
from edgecnn.trust.groups.measure import GroupEvaluation, group_result
from edgecnn.trust.paired.measure import MeanChange
from edgecnn.trust.paired.run import check_same_model

JUDGED = ("classify", "detect")


@dataclass(frozen=True, slots=True, eq=False)
class DataPart:
    """What the run over the dataset gave: the measurements behind the verdicts, and SHA-256 of the images and what is true of them."""

    accuracy: DetailedEvaluation
    groups: GroupEvaluation | None
    calibration: CalibrationError | None
    drop: MeanChange | None
    worst: tuple[WrongImage, ...]
    fingerprint: str

    def verdicts(self, policy: Policy) -> Iterator[BudgetVerdict]:
        """The verdict on each budget of ``policy`` that this run decides."""
        if policy.accuracy is not None:
            yield from accuracy_verdicts(policy.accuracy, self.accuracy)
        if policy.groups is not None and self.groups is not None:
            yield from group_verdicts(policy.groups, self.groups)
        if policy.calibration is not None and self.calibration is not None:
            yield from calibration_verdicts(policy.calibration, self.calibration)
        if policy.drop is not None and self.drop is not None:
            yield drop_verdict(policy.drop, self.drop)


def measure_data(
    config: EvaluationConfig,
    model: OpenedModel,
    policy: Policy,
    reference: Path | None,
    progress: Callable[[int, int], None] | None,
) -> DataPart:
    """Run the file of ``config``, opened as ``model``, over its dataset once. ``reference`` is the float file, None: nothing to lose.

    Raises ``InputError`` for budgets that do not fit the task, and what running the file raises.
    """
    with ExitStack() as stack:
        prints = Fingerprint()
        worst = WorstImages(model) if model.card.task in JUDGED else None
        groups = None if policy.groups is None else WatchedGroups(_collector(policy.groups, config, model), model)
        boxes = WatchedCalibration(model) if policy.calibration is not None and find(model.card.task).has_boxes else None
        paired = None
        if policy.drop is not None and reference is not None:
            paired = WatchedReference(stack.enter_context(_opened(reference, config, model)), model)
        watchers: list[ImageWatcher] = [prints, *(one for one in (worst, groups, boxes, paired) if one is not None)]
        outcomes = WatchedOutcomes(model, watchers)
        accuracy = measure_in_detail(config, model, outcomes, seed=policy.seed, progress=progress)
    unreadable = tuple(outcomes.unreadable)
    return DataPart(
        accuracy=accuracy,
        groups=None if groups is None else group_result(config, groups.collector, model, policy.seed, unreadable),
        calibration=_calibration(accuracy, boxes, policy.seed) if policy.calibration is not None else None,
        drop=None if paired is None else paired.measure.result(),
        worst=() if worst is None else tuple(worst.worst),
        fingerprint=prints.sha256,
    )


def check_data_budgets(policy: Policy, model: OpenedModel) -> None:
    """Raise ``InputError`` for what the task of the model has not, before anything runs."""
    task = find(model.card.task)
    metric = "" if policy.accuracy is None else policy.accuracy.metric
    if metric and model.card.task in METRICS:
        check_metric(metric, model.card.task, METRICS[model.card.task])
    if policy.calibration is not None and model.card.task not in JUDGED:
        problem = f"[calibration] is for classifiers and detectors, but {model.card.name} is {task.model}"
        raise InputError(problem, "leave it out")
    by_class = policy.accuracy is not None and policy.accuracy.worst_class_min_percent is not None
    if by_class and not model.dataset.labels:
        raise InputError(f"worst_class_min_percent needs classes, but {model.card.name} is {task.model}", "leave it out")
    if policy.drop is not None and task.metric in IN_UNITS:
        raise InputError(f"[drop] is in points of a share, but {TITLES[task.metric]} is none", "leave it out")


def _collector(budget: GroupBudget, config: EvaluationConfig, model: OpenedModel) -> GroupCollector:
    try:
        return GroupCollector(parse_group_key(budget.by), config.data.uri, model)
    except InputError as error:
        raise InputError(error.problem.replace("--group-by", "[groups] by"), error.fix) from error


def _opened(reference: Path, config: EvaluationConfig, model: OpenedModel) -> Predictor:
    if not reference.is_file():
        raise InputError(f"[drop] reference: {reference} does not exist", "check the path")
    opened = Predictor(reference, config.device, threads=config.threads, options=whole_curve(config.options))
    try:
        check_same_model(opened, model.predictor)
    except InputError:
        opened.close()
        raise
    return opened


def _calibration(accuracy: DetailedEvaluation, boxes: WatchedCalibration | None, seed: int) -> CalibrationError:
    if boxes is not None:
        return CalibrationError(boxes.boxes.estimate(seed), boxes.boxes.boxes, "boxes")
    found = None if accuracy.detail is None else accuracy.detail.figures.get("ece")
    if found is None:
        problem = "[calibration] needs scores that are probabilities, and those of this model are none"
        raise InputError(problem, "leave it out")
    return CalibrationError(found, accuracy.evaluation.score.n, "images")
