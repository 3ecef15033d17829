"""Validates and applies changes of the controls that a viewer requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgecnn.runtime.view.protocols import ViewContext

KEYS = ("score_threshold", "only", "camera", "paused")


def apply_changes(changes: Mapping[str, Any], context: ViewContext) -> None:
    """Apply ``score_threshold``, ``only`` (labels; null: all), and ``camera`` with ``paused``.

    Raises ``ValueError`` if any of them is not valid; in that case nothing is changed.
    """
    unknown = [key for key in changes if key not in KEYS]
    if unknown or not changes:
        raise ValueError(f"the body must have some of {', '.join(KEYS)} and nothing else")
    context.controls.change(
        score_threshold=_threshold(changes["score_threshold"]) if "score_threshold" in changes else None,
        only=_labels(changes["only"], context) if "only" in changes else None,
        paused=_paused(changes, context) if "camera" in changes or "paused" in changes else None,
    )


def _threshold(value: Any) -> float:
    # bool is a subclass of int, but true is not a threshold.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("score_threshold must be a number from 0 to 1")
    return float(value)


def _labels(value: Any, context: ViewContext) -> frozenset[str]:
    known = frozenset(label for labels in context.labels.values() for label in labels)
    if value is None:
        return known
    if not isinstance(value, list) or not all(isinstance(label, str) and label in known for label in value):
        raise ValueError("only must be a list of labels of this run, or null")
    return frozenset(value)


def _paused(changes: Mapping[str, Any], context: ViewContext) -> frozenset[str]:
    camera, paused = changes.get("camera"), changes.get("paused")
    if not isinstance(camera, str) or camera not in context.run.cameras or not isinstance(paused, bool):
        raise ValueError("camera must be a camera of this run, and paused true or false")
    now = context.controls.setting.paused
    return now | {camera} if paused else now - {camera}
