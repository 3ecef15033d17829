"""Randomised smoothing: the class that most noisy copies get, with a certificate (Cohen et al. 2019, arXiv:1902.02918)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from edgecnn.types import Array, Image

ABSTAINED = -1
SELECTION = 32  # noisy copies that choose the class, before others measure it
ALPHA = 0.001  # the certificate of an image is wrong with at most this probability


@dataclass(frozen=True, slots=True)
class Certificate:
    """The class that smoothing gives, ABSTAINED for none, and the L2 radius in which no change of the image can alter it.

    ``radius`` is in fractions of the pixel range: 1 is one value changed from black to white.
    """

    label: int
    radius: float


def certify(
    classify: Callable[[Image], int],
    pixels: Image,
    sigma: float,
    samples: int,
    random: np.random.Generator,
    *,
    alpha: float = ALPHA,
    selection: int = SELECTION,
) -> Certificate:
    """Algorithm CERTIFY of the paper for one image (h, w, c) uint8; ``classify`` gives the class of an image.

    ``sigma`` is the standard deviation of the noise in fractions of the pixel range. Rounding the noisy image to uint8 is a part of
    the classifier that is smoothed, so the certificate holds for the file as it is deployed.
    """
    chosen = int(np.bincount(_answers(classify, pixels, sigma, selection, random)).argmax())
    hits = int((_answers(classify, pixels, sigma, samples, random) == chosen).sum())
    least = lower_bound(hits, samples, alpha)
    if least <= 0.5:
        return Certificate(ABSTAINED, 0.0)
    return Certificate(chosen, sigma * NormalDist().inv_cdf(least))


def _answers(classify: Callable[[Image], int], pixels: Image, sigma: float, count: int, random: np.random.Generator) -> Array:
    def noisy() -> Image:
        changed = pixels + random.normal(0.0, sigma * 255, pixels.shape)
        return np.clip(np.rint(changed), 0, 255).astype(np.uint8)

    return np.array([classify(noisy()) for _ in range(count)], np.int64)


@lru_cache(maxsize=4096)
def lower_bound(hits: int, samples: int, alpha: float) -> float:
    """One-sided lower bound of a probability, of which ``hits`` of ``samples`` were seen (Clopper and Pearson 1934).

    The largest p for which at least ``hits`` have a probability of at most ``alpha``.
    """
    if hits == 0:
        return 0.0
    low, high = 0.0, hits / samples
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _tail(hits, samples, middle) < alpha else (low, middle)
    return low


def _tail(hits: int, samples: int, p: float) -> float:
    """The probability of at least ``hits`` of ``samples``."""
    counts = range(hits, samples + 1)
    logs = [
        math.lgamma(samples + 1)
        - math.lgamma(k + 1)
        - math.lgamma(samples - k + 1)
        + k * math.log(p)
        + (samples - k) * math.log1p(-p)
        for k in counts
    ]
    return math.fsum(math.exp(value) for value in logs)


def certified_accuracy(found: Sequence[Certificate], truth: Sequence[int], radius: float) -> float:
    """The share of images whose class is right and can't be altered within ``radius``."""
    right = [
        one.label == true and one.label != ABSTAINED and one.radius >= radius for one, true in zip(found, truth, strict=True)
    ]
    return float(np.mean(right)) if right else 0.0
