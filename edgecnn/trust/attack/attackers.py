"""What changes images within a strength: the interface of all attacks, and random noise as their control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from edgecnn.trust.attack.target import AttackTarget
from edgecnn.types import Array, Image

NOISE, FGSM, PGD, SQUARE = METHODS = ("noise", "fgsm", "pgd", "square")
WITH_GRADIENTS: Final = (FGSM, PGD)
TITLES: Final = {
    NOISE: "random noise of the same strength (the control)",
    FGSM: "fast gradient sign method (FGSM)",
    PGD: "projected gradient descent (PGD)",
    SQUARE: "Square attack, from answers of the file alone",
}


class Attacker(Protocol):
    """Changes images so that a model gets them wrong."""

    def __call__(self, targets: Sequence[AttackTarget], eps: int) -> list[Image]:
        """For each target its pixels, changed by at most ``eps`` grey levels of 255 each."""
        ...


class NoiseControl:
    """Random noise: each value is ``eps`` higher or lower, which is as strong as an attack can be, but aims at nothing."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, targets: Sequence[AttackTarget], eps: int) -> list[Image]:
        """The pixels with noise; the same for the same seed and place in the dataset."""
        return [self._one(target, eps) for target in targets]

    def _one(self, target: AttackTarget, eps: int) -> Image:
        signs = random_signs(generator(self._seed, target, 0), target.pixels.shape)
        return shifted(target.pixels, eps * signs * target.content)


def generator(seed: int, target: AttackTarget, stream: int) -> np.random.Generator:
    """The random generator of one image for one purpose: independent of the order of the work."""
    return np.random.default_rng((seed, target.index, stream))


def random_signs(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """-1 or 1, int16."""
    return (random.integers(0, 2, shape) * 2 - 1).astype(np.int16)


def shifted(pixels: Image, change: Array) -> Image:
    """``pixels`` plus whole grey levels, within 0..255."""
    return np.clip(pixels.astype(np.int16) + change, 0, 255).astype(np.uint8)
