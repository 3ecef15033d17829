"""The difference of two accuracies: by pairs of the same images where the records hold them, else from two separate intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from edgecnn.benchmarks.compare.finding import Direction, Finding, PointsInterval
from edgecnn.benchmarks.compare.interval import CONFIDENCE
from edgecnn.metrics.left_out import paired_difference
from edgecnn.metrics.score import IN_UNITS, TITLES, points
from edgecnn.metrics.student import t_quantile

STORED_CONFIDENCE = 0.95  # of the intervals of an accuracy in a record


def accuracy_findings(file: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    """The primary metric of two accuracies of one dataset."""
    key = _primary(before)
    if key is None or key != _primary(after):
        return
    title = TITLES[key]
    a, b = points(title, before["primary"]), points(title, after["primary"])
    change = _of_pairs(key, before, after) or _of_intervals(key, before, after)
    shown = change.low is not None and change.high is not None and not change.low <= 0 <= change.high
    direction: Direction = "none" if a == b or not shown else "better" if b > a else "worse"
    yield Finding(file, "accuracy", title, "%" if points(title, 1.0) == 100 else "", a, b, change, direction)


def _primary(accuracy: Mapping[str, Any]) -> str | None:
    """The key of the primary metric; older records hold its value only."""
    return accuracy.get("metric") or next(
        (key for key, value in accuracy["values"].items() if key in TITLES and value == accuracy["primary"]), None
    )


def _of_pairs(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> PointsInterval | None:
    """The difference on the same images; None where the records do not hold what tells it."""
    if not before.get("images_digest") or any(before.get(name) != after.get(name) for name in ("images_digest", "n")):
        return None
    value, share = after["primary"] - before["primary"], key not in IN_UNITS
    found = paired_difference(value, before.get("left_out", ()), after.get("left_out", ()), before["n"], CONFIDENCE, share=share)
    if found is None:
        return None
    value, low, high = (points(TITLES[key], each) for each in (found.value, found.low, found.high))
    how = f"accuracy is compared by pairs: both were measured on the same {before['n']:,} images"
    return PointsInterval(value, low, high, how)


def _of_intervals(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> PointsInterval:
    """The difference after - before with an interval from the intervals of both, where there are any.

    Zou and Donner, Statistics in Medicine 27 (2008), p. 1693. Both are taken as independent; on the same images they are not, and the
    true interval is narrower.
    """
    title = TITLES[key]
    a, b = points(title, before["primary"]), points(title, after["primary"])
    sides = [[own["values"].get(f"{key}_{end}") for end in ("low", "high")] for own in (before, after)]
    if any(end is None for side in sides for end in side):
        return PointsInterval(
            b - a, how="accuracy is compared without an interval: the records hold nothing that tells how certain it is"
        )
    (a_low, a_high), (b_low, b_high) = ([points(title, end) for end in side] for side in sides)
    wider = t_quantile((1 + CONFIDENCE) / 2, 1e6) / t_quantile((1 + STORED_CONFIDENCE) / 2, 1e6)
    return PointsInterval(
        b - a,
        b - a - wider * math.hypot(b - b_low, a_high - a),
        b - a + wider * math.hypot(b_high - b, a - a_low),
        "accuracy is compared by the intervals of both, not by pairs: the records do not hold results of the same images",
    )
