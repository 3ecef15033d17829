"""The verdicts on what one run over the dataset measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from edgecnn.counts import counted
from edgecnn.errors import InputError
from edgecnn.metrics.estimate import Estimate
from edgecnn.metrics.score import IN_UNITS, TITLES, Score
from edgecnn.task_names import TaskName
from edgecnn.tasks import find
from edgecnn.trust.accuracy.estimate import LEAST
from edgecnn.trust.accuracy.measure import DetailedEvaluation
from edgecnn.trust.gate.policy import AccuracyBudget, CalibrationBudget, DropBudget, GroupBudget
from edgecnn.trust.gate.verdict import POINTS, BudgetVerdict, share_verdict
from edgecnn.trust.groups.measure import FEW_INSTANCES, GroupEvaluation
from edgecnn.trust.paired.measure import MeanChange

METRICS: Final[Mapping[str, tuple[str, ...]]] = {  # what can be asked for before anything runs
    "classify": ("top1", "top5", "precision", "balanced_accuracy", "f1"),
    "detect": ("map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar"),
}
OF_BOXES: Final = {"map": "ap", "ap50": "ap50", "ap75": "ap75"}  # the metric of one class, by that of all


class CalibrationError(NamedTuple):
    """The calibration error, over so many ``instances``, which are called ``noun``."""

    error: Estimate
    instances: int
    noun: str


def calibration_verdicts(budget: CalibrationBudget, found: CalibrationError) -> Iterator[BudgetVerdict]:
    """The verdict on the calibration error."""
    if budget.ece_max_percent is not None:
        yield share_verdict(
            "calibration.ece_max_percent",
            "calibration error (ECE)",
            budget.ece_max_percent,
            found.error.value,
            found.error.low,
            found.error.high,
            at_least=False,
            count=found.instances,
            noun=found.noun,
            detail=f"{found.instances:,} {found.noun}",
        )


def check_metric(metric: str, task: TaskName, measured: Sequence[str]) -> None:
    """Raise ``InputError`` for a metric that is not among those ``measured`` for a task, or is no share."""
    if metric not in measured or metric in IN_UNITS:
        shares = [name for name in measured if name in TITLES and name not in IN_UNITS]
        problem = f"[accuracy] metric: {metric} is not measured of {find(task).model}"
        raise InputError(problem, f"use {', '.join(shares)}" if shares else "leave [accuracy] out")


def accuracy_verdicts(budget: AccuracyBudget, found: DetailedEvaluation) -> Iterator[BudgetVerdict]:
    """The verdicts on the metric and on the worst class; raises ``InputError`` for a metric that is not measured."""
    score = found.evaluation.score
    metric = budget.metric or score.metric
    check_metric(metric, score.task, [name for name in score.values if not name.endswith(("_low", "_high"))])
    if budget.min_percent is not None:
        low, high = (score.values.get(f"{metric}_{end}") for end in ("low", "high"))
        yield share_verdict(
            "accuracy.min_percent",
            TITLES[metric],
            budget.min_percent,
            score.values[metric],
            low,
            high,
            count=score.n,
            detail=counted(score.n, "image"),
        )
    if budget.worst_class_min_percent is not None:
        yield _worst_class(budget.worst_class_min_percent, metric, found, score)


def _worst_class(limit: float, metric: str, found: DetailedEvaluation, score: Score) -> BudgetVerdict:
    """The lowest class of those with enough instances. Its interval is that of the minimum: from the lowest to the lowest end."""
    own = {} if found.detail is None else found.detail.classes
    name = OF_BOXES.get(metric, "ap") if find(score.task).has_boxes else "recall"
    known = {label: figures[name] for label, figures in own.items() if name in figures}
    known = known or {label: Estimate(value) for label, value in score.per_class.items()}
    judged = {label: one for label, one in known.items() if score.support.get(label, 0) >= LEAST}
    chosen = judged or known
    if not chosen:
        raise InputError("worst_class_min_percent: no class has anything in this dataset", "name another dataset")
    worst = min(chosen, key=lambda label: chosen[label].value)
    left = [label for label in known if label not in judged]
    title = f"worst class ({worst}), {'recall' if name == 'recall' else TITLES.get(metric, name)}"
    detail = f"{score.support.get(worst, 0):,} {score.counted}"
    if judged and left:
        detail += f"; not judged, fewer than {LEAST} {score.counted}: {', '.join(left[:3])}{', ...' if len(left) > 3 else ''}"
    lows, highs = [one.low for one in chosen.values()], [one.high for one in chosen.values()]
    return share_verdict(
        "accuracy.worst_class_min_percent",
        title,
        limit,
        chosen[worst].value,
        min((end for end in lows if end is not None), default=None) if None not in lows else None,
        min((end for end in highs if end is not None), default=None) if None not in highs else None,
        count=score.support.get(worst, 0) if not judged else None,
        noun=score.counted,
        detail=detail,
    )


def group_verdicts(budget: GroupBudget, found: GroupEvaluation) -> Iterator[BudgetVerdict]:
    """The verdicts on the worst group and on the gap."""
    judged = [group for group in found.groups if group.instances >= FEW_INSTANCES] or list(found.groups)
    worst = judged[0]
    few = "" if len(judged) == len(found.groups) else f"; {len(found.groups) - len(judged)} groups with few instances not judged"
    enough = worst.instances >= FEW_INSTANCES
    if budget.worst_min_percent is not None:
        ends = [group.interval for group in judged if group.interval is not None]
        whole = enough and len(ends) == len(judged)
        yield share_verdict(
            "groups.worst_min_percent",
            f"worst group by {found.key.title} ({worst.name})",
            budget.worst_min_percent,
            worst.rate,
            min(end.low for end in ends) if whole else None,
            min(end.high for end in ends) if whole else None,
            noun="instances in a group",
            detail=f"{worst.instances:,} instances{few}",
        )
    if budget.gap_max_points is not None:
        interval = found.gap_interval
        yield share_verdict(
            "groups.gap_max_points",
            f"gap between groups by {found.key.title}",
            budget.gap_max_points,
            found.gap,
            None if interval is None else interval.low,
            None if interval is None else interval.high,
            at_least=False,
            noun="groups with enough instances",
            detail=f"{judged[-1].name} - {worst.name}",
            unit=POINTS,
        )


def drop_verdict(budget: DropBudget, found: MeanChange) -> BudgetVerdict:
    """The verdict on what is lost against the reference."""
    assert budget.max_points is not None
    interval = found.interval
    return share_verdict(
        "drop.max_points",
        f"loss of {found.before.primary_title} against the reference",
        budget.max_points,
        -found.difference,
        None if interval is None else -interval.high,
        None if interval is None else -interval.low,
        at_least=False,
        count=found.before.n,
        detail=f"{100 * found.before.primary:.2f} -> {100 * found.after.primary:.2f} %, same images",
        unit=POINTS,
    )
