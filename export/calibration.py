"""The calibration set: source images that set the ranges of int8, as feeds of the exported graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.data.calibration import MINIMUM
from edgecnn.errors import InputError
from edgecnn.preprocess import Preprocessor
from edgecnn.types import Image, Tensors


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Source images (H, W, 3) uint8 BGR, where they come from, and the seed that picked them.

    Raises ``InputError`` for fewer than ``MINIMUM`` images.
    """

    images: Sequence[Image]
    source: str
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.images) < MINIMUM:
            raise InputError(
                f"a calibration set of at least {MINIMUM} images",
                f"{len(self.images)} in {self.source}",
                "name a larger one with --calibration",
            )

    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {"source": self.source, "count": len(self.images), "seed": self.seed}

    def feeds(self, card: ModelCard) -> list[Tensors]:
        """One feed for each image, preprocessed as the artifact's ``card`` says."""
        prepare = Preprocessor(card.preprocess, card.inputs[0])
        return [{name: array.copy() for name, array in prepare(image)[0].items()} for image in self.images]
