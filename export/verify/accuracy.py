"""Accuracy of an artifact compared with PyTorch's on one dataset."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.data import Dataset
from edgecnn.data.overlap import Overlap
from edgecnn.export.verify.reference import Reference
from edgecnn.metrics import Score
from edgecnn.metrics.score import points
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.thresholds import EVALUATION
from edgecnn.types import Image, Prediction


@dataclass(frozen=True, slots=True)
class AccuracyDrop:
    """Primary metric of PyTorch and of the artifact on ``n`` images of ``data``, in 0..1."""

    data: str
    n: int
    metric: str
    pytorch: float
    artifact: float
    allowed: float
    overlap: Overlap = field(default_factory=Overlap)

    @property
    def violation(self) -> str:
        """The message for a drop larger than allowed, else ""."""
        if self.pytorch - self.artifact <= self.allowed:
            return ""
        return f"{self} on {self.data}, {points(self.metric, self.allowed):.1f} points allowed"

    def __str__(self) -> str:
        return f"{self.metric} {points(self.metric, self.pytorch):.2f} -> {points(self.metric, self.artifact):.2f}"

    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "overlap"}
        return {**values, "overlap": self.overlap.to_document()} if self.overlap.notes else values


class Accuracy:
    """Measures artifacts of one model on one dataset; PyTorch is measured once, on first use.

    ``allowed`` is how much an artifact may lose, as a fraction of 1; None for what is usual for the task. ``overlap`` is what the dataset
    shares with the data of the model.
    """

    def __init__(self, reference: Reference, dataset: Dataset, allowed: float | None = None) -> None:
        self.overlap = Overlap()
        # the same thresholds for both sides; the card may have higher ones, which would cut off the precision-recall curve
        self._reference = reference.measured_with(EVALUATION)
        self._dataset, self._allowed = dataset, allowed
        self._score: Score | None = None

    @property
    def pytorch(self) -> Score:
        """The score of the checkpoint in PyTorch."""
        if self._score is None:
            self._score = self._evaluate(self._predict, self._reference.card)
        return self._score

    def measure(self, path: Path) -> AccuracyDrop:
        """The artifact at ``path`` against PyTorch."""
        with Predictor(path, options=CardOptions(**EVALUATION)) as predictor:
            score = self._evaluate(predictor, predictor.card)
        before = self.pytorch
        allowed = find(score.task).allowed_drop if self._allowed is None else self._allowed
        return AccuracyDrop(
            self._dataset.name, score.n, score.primary_title, before.primary, score.primary, allowed, self.overlap
        )

    def _evaluate(self, predict: Any, card: ModelCard) -> Score:
        return evaluate(predict, self._dataset, classes=find(card.task).match_labels(card.labels, self._dataset.labels))

    def _predict(self, image: Image) -> Prediction:
        prediction = self._reference(image).prediction
        assert prediction is not None
        return prediction
