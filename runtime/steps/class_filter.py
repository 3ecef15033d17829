"""Filters boxes by class and score, and objects with key points by score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from edgecnn.errors import InputError
from edgecnn.runtime.pipeline.controls import Controls
from edgecnn.shown_scores import ShownScores
from edgecnn.types import Detections, Poses, Result


class ClassFilter:
    """Keeps boxes of the labels ``only`` (None: all), and boxes and poses with a score of at least ``score_threshold``.

    Classes may have their own score, see ``ShownScores``. The settings of ``controls`` take precedence. Tracked boxes are filtered by
    class alone: the tracker keeps boxes with low scores on purpose, to continue a track. Other predictions are not changed. Raises
    ``InputError`` for a label that the model does not have.
    """

    stage = "filter"

    def __init__(
        self,
        labels: Sequence[str],
        only: Iterable[str] | None = None,
        score_threshold: float | ShownScores | None = None,
        controls: Controls | None = None,
    ) -> None:
        # Case is ignored, as users type labels on the command line.
        self._labels = [label.casefold() for label in labels]
        self._shown = ShownScores(score_threshold) if isinstance(score_threshold, int | float) else score_threshold
        self._controls = controls
        self._only = None if only is None else self._check_labels(only, labels)

    def __call__(self, result: Result) -> Result:
        """Return the result with the boxes that pass, and their trails."""
        found = result.prediction
        if not isinstance(found, Detections | Poses):
            return result
        only, least = self._only, self._shown
        from_controls = False
        if self._controls is not None:
            setting = self._controls.setting
            only = only if setting.only is None else self._ids(setting.only)
            from_controls = setting.score_threshold is not None
            least = least if setting.score_threshold is None else ShownScores(setting.score_threshold)
        if isinstance(found, Poses):  # their labels are the key points
            shown = np.ones(len(found), np.bool_) if least is None else least.passes(found)
            return result if shown.all() else replace(result, prediction=found[shown])
        kept = np.ones(len(found), np.bool_) if only is None else np.isin(found.class_id, sorted(only))
        # A threshold that a viewer sets hides tracked boxes, too; it changes the display and not the tracks.
        if least is not None and (found.track_id is None or from_controls):
            kept &= least.passes(found)
        return result if kept.all() else replace(result, prediction=found[kept], trails=_remaining_trails(result, found[kept]))

    def _check_labels(self, only: Iterable[str], labels: Sequence[str]) -> frozenset[int]:
        names = list(only)
        unknown = [name for name in names if name.casefold() not in self._labels]
        if unknown:
            shown = ", ".join(labels[:12]) + (f", ... ({len(labels)} in all)" if len(labels) > 12 else "")
            raise InputError(f"--only: the model has no class {', '.join(unknown)}", f"choose from {shown}")
        return self._ids(names)

    def _ids(self, names: Iterable[str]) -> frozenset[int]:
        folded = {name.casefold() for name in names}
        return frozenset(index for index, label in enumerate(self._labels) if label in folded)


def _remaining_trails(result: Result, found: Detections) -> dict[int, np.ndarray]:
    kept = set() if found.track_id is None else set(found.track_id.tolist())
    return {track: trail for track, trail in result.trails.items() if track in kept}
