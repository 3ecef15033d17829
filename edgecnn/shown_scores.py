"""From which score the objects of a model are shown: one score for all classes, or that of a class in the model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecnn.card import CLASS_THRESHOLDS, Decode, ModelCard
from edgecnn.errors import InputError
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Detections, Float32, Int64, Poses

Scored = TypeVar("Scored", Detections, Poses)


@dataclass(frozen=True, slots=True)
class ShownScores:
    """Scores 0..1 from which objects are shown: ``own`` by class id, and ``usual`` for all other classes and for poses."""

    usual: float = SHOWN_SCORE
    own: Mapping[int, float] = field(default_factory=dict)

    @property
    def lowest(self) -> float:
        """The lowest of all; an object below it is never shown."""
        return min((self.usual, *self.own.values()))

    @property
    def highest(self) -> float:
        """The highest of all; an object from it on is always shown."""
        return max((self.usual, *self.own.values()))

    def one(self, class_id: int) -> float:
        """The score from which objects of a class are shown."""
        return self.own.get(class_id, self.usual)

    def of(self, class_id: Int64) -> Float32:
        """The score (n,) float32 from which an object of each class (n,) int64 is shown."""
        scores = np.full(len(class_id), self.usual, np.float32)
        for own, score in self.own.items():
            scores[class_id == own] = score
        return scores

    def passes(self, found: Detections | Poses) -> NDArray[np.bool_]:
        """Which of the objects (n,) are shown."""
        if self.own and isinstance(found, Detections):
            return np.asarray(found.score >= self.of(found.class_id))
        return np.asarray(found.score >= self.usual)

    def keep(self, found: Scored) -> Scored:
        """The objects that are shown."""
        return found[self.passes(found)]

    def words(self, labels: tuple[str, ...]) -> str:
        """In words, such as "face 0.25, person 0.4, others 0.3"; "" where no class has its own. ``labels`` are the class names."""
        if not self.own:
            return ""
        names = [f"{labels[class_id]} {score:g}" for class_id, score in self.own.items()]
        return ", ".join([*names, *([f"others {self.usual:g}"] if len(self.own) < len(labels) else [])])


def shown_scores(card: ModelCard, usual: float = SHOWN_SCORE) -> ShownScores:
    """The scores of the classes in the ``card``, and ``usual`` for the others."""
    own = card.decode.options.get(CLASS_THRESHOLDS, {}) if card.task == "detect" else {}
    return ShownScores(usual, {index: own[name] for index, name in enumerate(card.labels) if name in own})


def with_class_thresholds(card: ModelCard, chosen: Iterable[tuple[str, float]] | None) -> ModelCard:
    """The card with the ``chosen`` scores by class name beside those that it has; () removes all, None changes nothing.

    Case is ignored. Raises ``InputError`` for a class that the model does not have, and for a model that is no detector.
    """
    if chosen is None:
        return card
    chosen = tuple(chosen)
    if chosen and card.task != "detect":
        raise InputError(f"--class-thresholds needs a detector, but the task of the model is {card.task}", "leave it out")
    options = {name: value for name, value in card.decode.options.items() if name != CLASS_THRESHOLDS}
    known = {**{name.casefold(): name for name in reversed(card.labels)}, **{name: name for name in card.labels}}
    scores: dict[str, float] = {}
    for name, score in chosen:
        label = known.get(name, known.get(name.casefold()))
        if label is None:
            more = ", ..." if len(card.labels) > 12 else ""
            raise InputError(
                f"--class-thresholds: the model has no class {name}", f"choose from {', '.join(card.labels[:12])}{more}"
            )
        scores[label] = score
    if scores:
        merged = {**card.decode.options.get(CLASS_THRESHOLDS, {}), **scores}
        options[CLASS_THRESHOLDS] = {name: merged[name] for name in card.labels if name in merged}
    return card.replace(decode=Decode(card.decode.name, options))


def decoding_all_shown(card: ModelCard) -> ModelCard:
    """The card whose decoder leaves out no box that is shown: its score threshold is not above those of the classes."""
    own, options = card.decode.options.get(CLASS_THRESHOLDS, {}), card.decode.options
    lowest = min(own.values(), default=1.0)
    if lowest >= options.get("score_threshold", 0.0):
        return card
    return card.replace(decode=Decode(card.decode.name, {**options, "score_threshold": lowest}))
