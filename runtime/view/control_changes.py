"""What a viewer wishes, checked, then taken over into the controls of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgecnn.runtime.view.protocols import ViewContext

KEYS = ("score_threshold", "only", "camera", "paused")


def apply_changes(wish: Mapping[str, Any], context: ViewContext) -> None:
    """Change what ``wish`` names: ``score_threshold``, ``only`` (labels; null: all), ``camera`` with ``paused``.

    Nothing is changed where anything is wrong: raises ``ValueError``.
    """
    unknown = [key for key in wish if key not in KEYS]
    if unknown or not wish:
        raise ValueError(f"wanted some of {', '.join(KEYS)}")
    context.controls.change(
        score_threshold=_threshold(wish["score_threshold"]) if "score_threshold" in wish else None,
        only=_labels(wish["only"], context) if "only" in wish else None,
        paused=_paused(wish, context) if "camera" in wish or "paused" in wish else None,
    )


def _threshold(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("wanted a score threshold of 0 to 1")
    return float(value)


def _labels(value: Any, context: ViewContext) -> frozenset[str]:
    known = frozenset(label for labels in context.labels.values() for label in labels)
    if value is None:
        return known
    if not isinstance(value, list) or not all(isinstance(label, str) and label in known for label in value):
        raise ValueError("wanted labels that a model of this run knows")
    return frozenset(value)


def _paused(wish: Mapping[str, Any], context: ViewContext) -> frozenset[str]:
    camera, paused = wish.get("camera"), wish.get("paused")
    if not isinstance(camera, str) or camera not in context.run.cameras or not isinstance(paused, bool):
        raise ValueError("wanted a camera of this run, and paused true or false")
    now = context.controls.setting.paused
    return now | {camera} if paused else now - {camera}
