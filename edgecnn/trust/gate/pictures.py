"""Images that a model gets wrong, as they are true and as the model sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.benchmarks.report.contact_sheet import SheetTile, sheet_tile, to_tile_size
from edgecnn.card import ModelCard
from edgecnn.data import Dataset, Sample
from edgecnn.runtime.draw.painter import draw
from edgecnn.shown_scores import shown_scores
from edgecnn.trust.gate.report import WrongPicture
from edgecnn.trust.gate.watchers import WrongImage
from edgecnn.types import Detections, Image, Prediction


def wrong_pictures(dataset: Dataset, worst: Sequence[WrongImage], card: ModelCard) -> tuple[WrongPicture, ...]:
    """The pictures of ``worst``; ``card`` is that of the model."""
    found = []
    for one in worst:
        sample = dataset.samples[one.place]
        scaled, factor = to_tile_size(sample.read())
        found.append(WrongPicture(sample.name, one.words, tuple(_tiles(sample, scaled, factor, one, dataset.labels, card))))
    return tuple(found)


def _tiles(
    sample: Sample, scaled: Image, factor: float, one: WrongImage, known: Sequence[str], card: ModelCard
) -> list[SheetTile]:
    if not isinstance(one.found, Detections) or sample.boxes is None:
        return [sheet_tile(scaled, one.words)]
    boxes = sample.boxes
    xyxy = (boxes.xyxy * factor).astype(np.float32)
    truth = Detections(xyxy, np.full(len(boxes), np.nan, np.float32), boxes.class_id)
    return [
        sheet_tile(draw(scaled.copy(), truth, known), "true"),
        sheet_tile(draw(scaled.copy(), _shown(one.found, factor, card), card.labels), "what the file says"),
    ]


def _shown(found: Detections, factor: float, card: ModelCard) -> Prediction:
    kept = shown_scores(card).keep(found)
    return Detections((kept.xyxy * factor).astype(np.float32), kept.score, kept.class_id)
