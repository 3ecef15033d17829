"""A few attacked images beside the clean ones, with what each file says, kept while the images are measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.labels import label_of
from edgecnn.shown_scores import shown_scores
from edgecnn.tasks import find
from edgecnn.trust.attack.attackers import SQUARE
from edgecnn.trust.attack.measure import AttackedModel
from edgecnn.trust.attack.result import NONE, AttackPicture
from edgecnn.trust.attack.target import AttackTarget, to_bgr
from edgecnn.types import Detections, Image, Prediction

SHOWN_STRENGTH = 8  # the strongest that is shown: pictures are to look alike


class PictureBook:
    """Keeps the first ``count`` images of the dataset at one strength."""

    def __init__(self, count: int, card: ModelCard, strengths: Sequence[int]) -> None:
        self._count, self._card = count, card
        self._eps = max((eps for eps in strengths if eps <= SHOWN_STRENGTH), default=min(strengths))
        self._kept: dict[int, tuple[str, str, list[AttackPicture]]] = {}
        self._first = ""

    def choose(self, part: Sequence[AttackTarget], models: Sequence[AttackedModel]) -> None:
        """The clean images; call it after the models have seen them and before they are attacked."""
        self._first = models[0].name
        for place, target in enumerate(part):
            if len(self._kept) < self._count:
                said = self._said(NONE, 0, place - len(part), models)
                clean = AttackPicture(NONE, 0, to_bgr(target.pixels), None, said)
                self._kept[target.index] = (target.sample.name, self._truth(target), [clean])

    def add(
        self, method: str, eps: int, part: Sequence[AttackTarget], attacked: Sequence[Image], models: Sequence[AttackedModel]
    ) -> None:
        """The attacked pixels of ``part``; the Square attack has others for each file, of which the first is shown."""
        if eps != self._eps or (method == SQUARE and models[0].name != self._first):
            return
        for place, (target, pixels) in enumerate(zip(part, attacked, strict=True)):
            if target.index in self._kept:
                said = self._said(method, eps, place - len(part), models)
                bgr = to_bgr(pixels)
                difference = amplified(pixels, target.pixels, eps)
                picture = AttackPicture(method, eps, bgr, to_bgr(difference), said)
                self._kept[target.index][2].append(picture)

    def pages(self) -> tuple[tuple[str, str, tuple[AttackPicture, ...]], ...]:
        """All that was kept, in the order of the dataset."""
        return tuple((name, truth, tuple(pictures)) for name, truth, pictures in self._kept.values())

    def _said(self, method: str, eps: int, place: int, models: Sequence[AttackedModel]) -> tuple[tuple[str, str], ...]:
        return tuple((model.name, answer_text(model.answers[method, eps][place], model.card)) for model in models)

    def _truth(self, target: AttackTarget) -> str:
        rows = target.own[:6]
        names = [label_of(self._card.labels, int(row.argmax())) if row.any() else "a class it lacks" for row in rows]
        return ", ".join(names) + (f", {len(target.own) - 6} more" if len(target.own) > 6 else "") or "nothing"


def answer_text(prediction: Prediction, card: ModelCard) -> str:
    """What a model says of an image in a few words; weak boxes are left out."""
    if isinstance(prediction, Detections):
        prediction = shown_scores(card).keep(prediction)
    return find(card.task).headline(prediction, card.labels) or "nothing"


def amplified(attacked: Image, clean: Image, eps: int) -> Image:
    """The difference around middle grey, so large that ``eps`` is black or white."""
    difference = attacked.astype(np.float32) - clean.astype(np.float32)
    shown: Image = np.clip(np.rint(128 + difference * (127 / eps)), 0, 255).astype(np.uint8)
    return shown
