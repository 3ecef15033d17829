"""The images that changed most, once as the file before sees them and once as the file after does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgecnn.benchmarks.report.contact_sheet import SheetTile, sheet_tile, to_tile_size
from edgecnn.card import ModelCard
from edgecnn.data.sample import Dataset
from edgecnn.runtime.draw.painter import draw
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shown_scores import shown_scores
from edgecnn.trust.paired.comparison import PairedEvaluation
from edgecnn.trust.paired.text import image_words
from edgecnn.types import Detections, Image, Prediction

MOST = 12


class PicturePair(NamedTuple):
    """Two tiles of one image, and what changed in it."""

    name: str
    words: str
    tiles: Sequence[SheetTile]


def pictures(found: PairedEvaluation, dataset: Dataset, files: tuple[Predictor, Predictor]) -> list[PicturePair]:
    """The worst images, each with both results drawn."""
    sheets = []
    for pair in found.changed[:MOST]:
        image = dataset.samples[pair.index].read()
        tiles = [
            sheet_tile(_drawn(image, predictor(image), predictor.card), name)
            for predictor, name in zip(files, ("before", "after"), strict=True)
        ]
        sheets.append(PicturePair(pair.name, image_words(found, pair), tiles))
    return sheets


def _drawn(image: Image, prediction: Prediction, card: ModelCard) -> Image:
    """The image in the size of a tile with the prediction; boxes that are not shown are left out."""
    scaled, factor = to_tile_size(image)
    if isinstance(prediction, Detections):
        kept = shown_scores(card).keep(prediction)
        prediction = Detections(kept.xyxy * factor, kept.score, kept.class_id, xywhr=kept.xywhr)
    return draw(scaled, prediction, card.labels)
