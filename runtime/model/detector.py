"""A detector as a function: image in, boxes out."""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.runtime.backends import Device
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.types import Detections, Image


class Detector:
    """An object detector: a model file, or the name of a shipped detector ("cups"): ``Detector(file)(image)``.

    Several threads may call it, ``requests`` of them at once; ``labels`` are the class names. Boxes scored below
    ``score_threshold`` (0..1) are left out; None takes the threshold of the card. Raises ``InputError`` for a file that is no detector,
    and what ``Predictor`` raises.
    """

    def __init__(
        self,
        model: Path | str,
        device: Device = "cpu",
        *,
        score_threshold: float | None = SHOWN_SCORE,
        threads: int | None = None,
        requests: int = 1,
        options: CardOptions | None = None,
    ) -> None:
        options = options or CardOptions(score_threshold=score_threshold)
        self.predictor = Predictor(model, device, threads=threads, requests=requests, options=options)
        card = self.predictor.card
        self.labels = card.labels
        if card.task != "detect":
            self.close()
            raise InputError(f"{model} is no detector, its task is {card.task}", "use edgecnn.Predictor for it")

    def __call__(self, image: Image) -> Detections:
        """The objects in ``image`` (H, W, 3) uint8 BGR, boxes in its pixels."""
        found = self.predictor(image)
        assert isinstance(found, Detections)
        return found

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self.predictor.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
