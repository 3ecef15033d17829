"""Square attack: random search from the scores of a model file alone (Andriushchenko et al. 2020, arXiv:1912.00049, for L-infinity)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from edgecnn.metrics.match import iou_matrix
from edgecnn.trust.attack.attackers import generator, random_signs, shifted
from edgecnn.trust.attack.target import AttackTarget, to_bgr
from edgecnn.types import Array, Classes, Detections, Image, Prediction

FIRST_SHARE: Final = 0.8  # of the area that the first squares change, as in AutoAttack (arXiv:2003.01690)
HALVINGS: Final = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 steps: there the share is halved (section 4)
OVERLAP: Final = 0.5  # IoU from which a detection is one of the true object
DONE: Final = -1.0
LEAST: Final = 1e-38


class SquareAttack:
    """Attacks one model file by up to ``queries`` answers of ``predict`` for each image and strength.

    An image that a weaker attack made wrong stays wrong, and one that is wrong without attack is left as it is.
    """

    def __init__(self, predict: Callable[[Image], Prediction], queries: int, seed: int) -> None:
        self._predict, self._queries, self._seed = predict, queries, seed
        self._wrong: dict[int, tuple[int, Image]] = {}  # by image: the weakest attack that worked

    def __call__(self, targets: Sequence[AttackTarget], eps: int) -> list[Image]:
        """The attacked pixels of each target."""
        return [self._one(target, eps) for target in targets]

    def _one(self, target: AttackTarget, eps: int) -> Image:
        if target.index in self._wrong and self._wrong[target.index][0] <= eps:
            return self._wrong[target.index][1]

        def margin(pixels: Image) -> float:
            return margin_of(self._predict(to_bgr(pixels)), target)

        limit = (eps * target.content).astype(np.int16)
        found, lowest = search(margin, target.pixels, limit, self._queries, generator(self._seed, target, eps))
        if lowest < 0:
            self._wrong[target.index] = (eps, found)
        return found


def search(
    margin: Callable[[Image], float], pixels: Image, limit: Array, queries: int, random: np.random.Generator
) -> tuple[Image, float]:
    """The image with the lowest ``margin`` that was found, and that margin; ends as soon as one is below 0.

    It starts with vertical stripes; each step tries a square of one colour, higher or lower than ``pixels`` in each channel by
    ``limit`` (h, w, 1) int16.
    """
    height, width, channels = pixels.shape
    best, lowest = pixels, margin(pixels)
    if lowest < 0 or not limit.any():
        return best, lowest
    striped = shifted(pixels, limit * random_signs(random, (1, width, channels)))
    value = margin(striped)
    # as in the paper the search goes on from the stripes, even where they are no better
    best, lowest = striped, value
    for step in range(1, queries):
        if lowest < 0:
            break
        side = min(max(round((share(step, queries) * height * width) ** 0.5), 1), height - 1, width - 1) or 1
        y, x = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
        tried = _with_square(best, pixels, limit, (int(y), int(x), side), random)
        value = margin(tried)
        if value < lowest:
            best, lowest = tried, value
    return best, lowest


def share(step: int, queries: int) -> float:
    """The share of the area that a square has, halved by a schedule that is stretched over all ``queries``."""
    return float(FIRST_SHARE / 2 ** sum(step * 10_000 / queries > at for at in HALVINGS))


def _with_square(best: Image, pixels: Image, limit: Array, where: tuple[int, int, int], random: np.random.Generator) -> Image:
    y, x, side = where
    area = (slice(y, y + side), slice(x, x + side))
    tried: Image = best.copy()
    for _ in range(8):  # a draw may give what is there already
        tried[area] = shifted(pixels[area], limit[area] * random_signs(random, (1, 1, pixels.shape[2])))
        if not np.array_equal(tried[area], best[area]):
            break
    return tried


def margin_of(prediction: Prediction, target: AttackTarget) -> float:
    """What the attack lowers; below 0 the model is wrong.

    Classes: log p of the true class minus log p of the best other one, which is the difference of the logits. Boxes: the sum over
    the true objects of the best score among the detections of their class that overlap them by 0.5; -1 where there is none left.
    """
    if isinstance(prediction, Classes):
        own = target.own[0]
        if not own.any() or own.all():
            return DONE
        scores = np.log(np.maximum(np.nan_to_num(prediction.score.astype(np.float64)), LEAST))
        return float(scores[own].max() - scores[~own].max())
    assert isinstance(prediction, Detections)
    total = float(_best_scores(prediction, target).sum())
    return total if total > 0 else DONE


def _best_scores(found: Detections, target: AttackTarget) -> Array:
    if not len(found) or not len(target.xyxy):
        return np.zeros(len(target.xyxy))
    fits = (iou_matrix(target.xyxy, found.xyxy) >= OVERLAP) & target.own[:, found.class_id]
    best: Array = np.where(fits, found.score[None], 0.0).max(axis=1)
    return best
