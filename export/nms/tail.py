"""What the suppression of each format is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.types import TensorSpec


@dataclass(frozen=True, slots=True)
class NmsTail:
    """Rows of the result, thresholds, the number of classes and the region in which boxes are compared.

    Boxes are kept with a score greater than ``above`` and suppressed by an overlap greater than ``iou``. Coordinates are limited to
    ``low`` and ``high`` where overlaps are computed, so that boxes of one class stay in a region of width ``span``; all classes are in one
    region where ``class_agnostic`` is set.
    """

    rows: int
    iou: float
    above: float
    classes: int
    low: float
    high: float
    class_agnostic: bool = False

    @property
    def span(self) -> float:
        """The distance between the regions of two classes."""
        return 0.0 if self.class_agnostic else self.high - self.low + 1

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The outputs of the graph."""
        return (
            TensorSpec("boxes", (1, self.rows, 4), "float32"),
            TensorSpec("scores", (1, self.rows), "float32"),
            TensorSpec("classes", (1, self.rows), "int32"),
            TensorSpec("count", (1,), "int32"),
        )


def tail_of(card: ModelCard) -> NmsTail:
    """The suppression for the file whose card this is."""
    options = NmsOptions.from_card(card.decode.options)
    side = max(card.preprocess.size)
    # The engines compare with "greater than", edgecnn's decoders with "at least".
    above = float(np.nextafter(np.float32(options.score_threshold), np.float32(-1)))
    low, high = -float(side), 2.0 * side
    return NmsTail(options.max_detections, options.iou_threshold, above, len(card.labels), low, high, options.class_agnostic)
