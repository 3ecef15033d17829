"""A detailed evaluation as text for a terminal."""

from __future__ import annotations

from edgecnn.benchmarks.report.evaluation_table import to_table
from edgecnn.columns import align_columns
from edgecnn.metrics.estimate import Estimate
from edgecnn.trust.accuracy.boxes import BoxDetail
from edgecnn.trust.accuracy.error_cost import ErrorKindCost
from edgecnn.trust.accuracy.estimate import AccuracyDetail
from edgecnn.trust.accuracy.labels import LabelDetail
from edgecnn.trust.accuracy.measure import DetailedEvaluation


def to_text(found: DetailedEvaluation) -> str:
    """The scores with the columns and sections that the details add."""
    return to_table(found.evaluation, class_columns(found.detail), _sections(found.detail))


def percent(value: float | None) -> str:
    """In points, one decimal."""
    return "-" if value is None else f"{100 * value:.1f}"


def interval(own: Estimate) -> str:
    """The ends of the interval in points."""
    return "-" if own.interval is None else f"{percent(own.interval.low)} to {percent(own.interval.high)}"


def class_columns(detail: AccuracyDetail | None) -> dict[str, dict[str, str]]:
    """More columns of the table of classes, by title and label."""
    if isinstance(detail, LabelDetail):
        return {
            "95 % interval": {label: interval(own["recall"]) for label, own in detail.classes.items()},
            "precision": {label: percent(own["precision"].value) for label, own in detail.classes.items()},
            "F1": {label: percent(own["f1"].value) for label, own in detail.classes.items()},
        }
    if isinstance(detail, BoxDetail):
        at = "shown" if detail.class_thresholds else f"from {detail.threshold:g}"
        return {
            **({"shown from": {label: f"{score:g}" for label, score in own.items()}} if (own := detail.class_thresholds) else {}),
            "95 % interval": {label: interval(own["ap"]) for label, own in detail.classes.items()},
            f"precision {at}": {label: percent(own.precision.value) for label, own in detail.working.items()},
            f"recall {at}": {label: percent(own.recall.value) for label, own in detail.working.items()},
        }
    return {}


def _sections(detail: AccuracyDetail | None) -> list[str]:
    if isinstance(detail, BoxDetail):
        head = (
            "error",
            "boxes shown" if detail.class_thresholds else f"boxes from {detail.threshold:g}",
            "costs AP50",
            "95 % interval",
        )
        rows = [head, *(error_cells(one) for one in detail.errors)]
        return ["", *(f"  {row}" for row in align_columns(rows, 1).splitlines())]
    return []


def error_cells(one: ErrorKindCost) -> tuple[str, str, str, str]:
    """Kind, count, cost and interval."""
    return one.kind, f"{one.count:,}", percent(one.cost.value), interval(one.cost)
