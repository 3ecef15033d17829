"""Whether the files of an attack are one network: an image is attacked once and shown to all of them."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.errors import InputError
from edgecnn.metrics.match import iou_matrix
from edgecnn.shown_scores import ShownScores
from edgecnn.types import Classes, Detections, Prediction

LEAST_AGREEMENT = (
    0.5  # an int8 file agrees with its checkpoint on nearly all images, another network with the same classes may not
)
LEAST_COUNT = 16  # answers that are compared
OVERLAP = 0.5


def check_cards(cards: Sequence[tuple[str, ModelCard]]) -> None:
    """Raise ``InputError`` where the files have other classes or inputs than the first."""
    first, own = cards[0]
    for name, card in cards[1:]:
        for what, a, b in (
            ("task", own.task, card.task),
            ("classes", own.labels, card.labels),
            ("size of the input", own.preprocess.size, card.preprocess.size),
            ("channels of the input", own.preprocess.channels, card.preprocess.channels),
            ("resize rule", own.preprocess.resize, card.preprocess.resize),
        ):
            if a != b:
                raise InputError(
                    f"{first} and {name} can't be attacked with the same images: they differ in {what} ({_short(a)} and {_short(b)})",
                    "name files of one network",
                )


def agreement(first: Sequence[Prediction], second: Sequence[Prediction], shown: ShownScores | None = None) -> float | None:
    """The share of equal answers to the same images: classes, or boxes ``shown`` by the first that the second has; None without any."""
    shown = shown or ShownScores()
    same = [answer for a, b in zip(first, second, strict=True) for answer in _same(a, b, shown)]
    return sum(same) / len(same) if same else None


def check_agreement(source: str, name: str, share: float | None, count: int) -> None:
    """Raise ``InputError`` where a file says other things than the checkpoint that gives the gradients."""
    if share is None or count < LEAST_COUNT or share >= LEAST_AGREEMENT:
        return
    raise InputError(
        f"{name} is not the network of {source}: they agree on {100 * share:.0f} % of {counted(count, 'image')} without attack",
        "name the checkpoint that it was exported from with --model",
    )


def _same(a: Prediction, b: Prediction, scores: ShownScores) -> list[bool]:
    if isinstance(a, Classes) and isinstance(b, Classes):
        return [a.top1 == b.top1]
    assert isinstance(a, Detections)
    assert isinstance(b, Detections)
    shown = scores.keep(a)
    if not len(shown):
        return []
    fits = (iou_matrix(shown.xyxy, b.xyxy) >= OVERLAP) & (shown.class_id[:, None] == b.class_id[None])
    return [bool(one) for one in fits.any(axis=1)] if len(b) else [False] * len(shown)


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
