"""From which scores the boxes of a camera are decoded and shown: the model card, and what the camera sets instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.thresholds import SHOWN_SCORE, WEAK_TRACK_SCORE

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.shown_scores import ShownScores

VIEW_FLOOR = WEAK_TRACK_SCORE  # the lowest score threshold that a viewer of the page can set


def usual_score(camera: CameraConfig) -> float:
    """The score from which boxes of ``camera`` are shown, if their class has no own."""
    return SHOWN_SCORE if camera.card.score_threshold is None else camera.card.score_threshold


def scores_of(camera: CameraConfig, card: ModelCard) -> ShownScores:
    """From which scores boxes of ``camera`` are shown: those of ``card``, unless the camera has its own for all classes or for some."""
    from edgecnn.shown_scores import shown_scores, with_class_thresholds

    own = card if camera.card.score_threshold is None else with_class_thresholds(card, ())
    return shown_scores(with_class_thresholds(own, camera.card.class_thresholds), usual_score(camera))


def card_options(config: RunConfig, camera: CameraConfig) -> CardOptions:
    """The options of the model file, with a score threshold low enough for tracking and for the slider of the page.

    A score threshold for all classes removes those of the classes from the card.
    """
    import dataclasses

    from edgecnn.live.analytics import lowest_score

    lowest = lowest_score(camera.analytics, usual_score(camera))
    # The slider of the page can lower the threshold to VIEW_FLOOR during the run.
    if config.view.serve is not None:
        lowest = min(lowest, VIEW_FLOOR)
    chosen = camera.card.class_thresholds
    if camera.card.score_threshold is not None and chosen is None:
        chosen = ()
    return dataclasses.replace(camera.card, score_threshold=lowest, class_thresholds=chosen)
