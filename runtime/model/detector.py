"""Detects objects in images: a callable from image to boxes."""

from __future__ import annotations

from pathlib import Path

from edgecnn.engine_device import CPU, Device
from edgecnn.errors import InputError
from edgecnn.runtime.arguments import check_arguments
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.shown import AS_IN_CARD, ScoreThreshold, open_shown
from edgecnn.shown_scores import ShownScores
from edgecnn.tasks import find
from edgecnn.types import Detections, Image


class Detector:
    """Detects objects with a model file, or a shipped detector by its name ("cups"): ``Detector(file)(image)``.

    Any thread can call it, ``requests`` of them at the same time. ``labels`` are the class names. Boxes that score below
    ``score_threshold`` (0..1) are left out: a number for all classes, or a mapping from class names to numbers, where other classes
    have that of the card, else 0.3; None returns all that the decoder returns. Raises ``InputError`` for a model that is no
    detector, and the errors of ``Predictor``.
    """

    def __init__(
        self,
        model: Path | str,
        device: Device | str = CPU,
        *,
        score_threshold: ScoreThreshold = AS_IN_CARD,
        threads: int | None = None,
        requests: int = 1,
        options: CardOptions | None = None,
    ) -> None:
        # Explicit options have their own threshold; `score_threshold` is not used then.
        self._shown: ShownScores | None = None
        if options is None:
            self.predictor, self._shown = open_shown(score_threshold, model, device, threads=threads, requests=requests)
        else:
            check_arguments(score_threshold=score_threshold)
            self.predictor = Predictor(model, device, threads=threads, requests=requests, options=options)
        card = self.predictor.card
        self.labels = card.labels
        if not find(card.task).has_boxes:
            self.close()
            raise InputError(f"{model} is no detector, its task is {card.task}", "use edgecnn.Predictor for it")

    def __call__(self, image: Image) -> Detections:
        """Detect the objects in ``image`` (H, W, 3) uint8 BGR; boxes are in its pixels."""
        found = self.predictor(image)
        assert isinstance(found, Detections)
        return found if self._shown is None else self._shown.keep(found)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self.predictor.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
