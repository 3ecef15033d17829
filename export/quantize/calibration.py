"""The calibration set: source images from which the quantization ranges of int8 are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.data.calibration import MINIMUM
from edgecnn.errors import InputError
from edgecnn.preprocess import preparer
from edgecnn.reference_profile.content_hash import content_hash
from edgecnn.reference_profile.seen_images import CALIBRATION, seen_record
from edgecnn.types import Image, Tensors


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Source images (H, W, 3) uint8 BGR, the name of the dataset they are from, and how they were selected.

    Raises ``InputError`` for fewer than ``MINIMUM`` images, unless ``force``.
    """

    images: Sequence[Image]
    dataset: str
    details: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False

    def __post_init__(self) -> None:
        if len(self.images) < (1 if self.force else MINIMUM):
            raise InputError(
                f"{self.dataset} has {len(self.images)} calibration images, fewer than {MINIMUM}",
                "give a larger set with --calibration, or accept it with --force-calibration",
            )

    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        seen = seen_record(CALIBRATION, self.dataset, map(content_hash, self.images))
        return {"dataset": self.dataset, "count": len(self.images), **self.details, **seen}

    def feeds(self, card: ModelCard) -> list[Tensors]:
        """One feed per image, or per batch of images for a file with a batch, preprocessed by the artifact's ``card``."""
        prepare = preparer(card.preprocess, card.inputs)
        if card.preprocess.tensors:
            return [prepare(image)[0] for image in self.images]
        (spec,) = card.inputs
        single = [prepare(image)[0][spec.name].copy() for image in self.images]
        batch = max(spec.shape[0], 1)
        if batch == 1:
            return [{spec.name: array} for array in single]
        # the last batch is filled with the first images
        rows = np.resize(np.arange(len(single)), (-(-len(single) // batch), batch))
        return [{spec.name: np.concatenate([single[index] for index in chosen])} for chosen in rows]
