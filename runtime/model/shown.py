"""Opens a model so that it returns what is shown: from one score on, or from that of the class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from edgecnn.runtime.arguments import check_arguments
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shown_scores import ShownScores, decoding_all_shown, shown_scores
from edgecnn.thresholds import SHOWN_SCORE

ScoreThreshold: TypeAlias = float | Mapping[str, float] | None
AS_IN_CARD: Mapping[str, float] = MappingProxyType({})


def open_shown(score_threshold: ScoreThreshold, *arguments: Any, **more: Any) -> tuple[Predictor, ShownScores | None]:
    """A predictor made of the ``arguments`` of ``Predictor``, and what to keep of its objects; None keeps all.

    ``score_threshold`` is 0..1 for all classes, or by class name, where others have that of the card, else 0.3; None keeps what the
    decoder returns. Raises ``InputError`` for a wrong one, and what ``Predictor`` raises.
    """
    check_arguments(score_threshold=score_threshold)
    if not isinstance(score_threshold, Mapping):
        return Predictor(*arguments, options=CardOptions(score_threshold=score_threshold), **more), None
    options = CardOptions(score_threshold=SHOWN_SCORE, class_thresholds=tuple(score_threshold.items()) or None)
    predictor = Predictor(*arguments, options=options, **more)
    predictor.card = decoding_all_shown(predictor.card)
    shown = shown_scores(predictor.card)
    return predictor, shown if shown.own else None
