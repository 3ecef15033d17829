"""Embedding: a vector for the whole image, whose direction is similar for images of the same thing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.card import Decode, ModelCard
from edgecnn.postprocess import EMBEDDERS
from edgecnn.tasks.classify import is_row, row_size
from edgecnn.tasks.interface import Accumulator, Picker, Task
from edgecnn.tasks.text import rounded
from edgecnn.tasks.wrong import wrong_outputs, wrong_task
from edgecnn.types import Array, Embedding, Float32, Neighbour, Tensors, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.retrieval import RetrievalAccumulator
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

NAMED = 3  # neighbours in a line of text


class Embed(Task[Embedding]):
    """Embedding of whole images, measured by recall@1."""

    name, prediction, model, data = "embed", Embedding, "an embedding model", "classes"
    decoders, default_decoder = tuple(EMBEDDERS), "embedding"
    compared, metric, golden, truth = "vectors", "recall1", ("vector",), "label"
    needs_labels, has_tensors = False, True
    resize = "letterbox"

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """One output, ``vector``."""
        return ("vector",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """One row of at least two numbers (1, D), also (1, D, 1, 1)."""
        if len(outputs) != 1 or not is_row(outputs[0].shape) or row_size(outputs[0].shape) < 2:
            raise wrong_outputs(self.name, "one output with one vector", outputs)

    def compare(self, expected: Embedding, got: Embedding, tolerance: Tolerance) -> Agreement:
        """Whether the cosine between both vectors is within the tolerance; how much it is below 1 counts as the score difference."""
        from edgecnn.parity import Agreement

        if expected.vector.shape != got.vector.shape or not np.isfinite(got.vector).all():
            return Agreement(0, 1)
        # two vectors of zeros have the same (no) direction
        cosine = float(expected.vector @ got.vector) if expected.vector.any() or got.vector.any() else 1.0
        return Agreement(int(cosine >= tolerance.cosine), 1, (max(1 - cosine, 0.0),))

    def direction(self, prediction: Embedding) -> Float32 | None:
        """The vector; None where it has no direction."""
        return prediction.vector if prediction.vector.any() else None

    def record(self, prediction: Embedding, labels: Sequence[str]) -> dict[str, Any]:
        """Name, similarity and neighbours where there is a gallery, and the vector unless it is not written."""
        found: dict[str, Any] = {}
        if prediction.neighbours:
            near = [_neighbour(one) for one in prediction.neighbours]
            found = {"label": prediction.name, "score": near[0]["score"], "neighbours": near}
        if prediction.written:
            found["vector"] = [rounded(value) for value in prediction.vector.tolist()]
        return {"embeddings": [found]}

    def headline(self, prediction: Embedding, labels: Sequence[str]) -> str:
        """The name and the similarity of the nearest neighbour."""
        if not prediction.neighbours:
            return f"vector of {len(prediction.vector)}"
        return f"{prediction.name} {prediction.neighbours[0].similarity:.2f}"

    def text(self, prediction: Embedding, labels: Sequence[str]) -> list[str]:
        """The name, and the nearest neighbours with their similarity; without a gallery the first numbers of the vector."""
        if not prediction.neighbours:
            first = " ".join(f"{value:.3f}" for value in prediction.vector[:4].tolist())
            return [f"vector of {len(prediction.vector)}: {first} ..."]
        near = ", ".join(f"{one.name} {one.similarity:.2f}" for one in prediction.neighbours[:NAMED])
        return [f"{prediction.name} (nearest: {near})"]

    def tensors(self, prediction: Embedding) -> Tensors:
        """The vector."""
        return {"vector": prediction.vector}

    def to_arrays(self, prediction: Embedding) -> dict[str, Array]:
        """``vector`` (D,) float32."""
        return {"vector": prediction.vector}

    def from_arrays(self, pick: Picker) -> Embedding:
        """From ``vector`` (D,) float32."""
        return Embedding(pick("vector", np.float32))

    def match_labels(self, model: Sequence[str], data: Sequence[str]) -> ClassMap:
        """A model of vectors has no classes: those of a dataset are used as they are."""
        from edgecnn.metrics.classmap import identity

        return identity(len(data))

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Embedding]:
        """Recall@1 and recall@5, and the similarity that tells classes apart."""
        from edgecnn.metrics.retrieval import RetrievalAccumulator

        return _VectorAccumulator(RetrievalAccumulator(labels))

    def tuned(self, card: ModelCard, values: Mapping[str, float]) -> ModelCard:
        """With the similarity that 1 % of the pairs of different classes reach as the threshold of a match."""
        threshold = values["threshold"]
        if not math.isfinite(threshold):
            return card
        return card.replace(decode=Decode(card.decode.name, {**card.decode.options, "match_threshold": round(threshold, 3)}))


class _VectorAccumulator:
    def __init__(self, inner: RetrievalAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Embedding, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.label is None:
            raise wrong_task(Embed.data, Embed.model, Embed.model)
        self._inner.add(prediction, sample.label)

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def _neighbour(one: Neighbour) -> dict[str, Any]:
    return {"label": one.name, "score": rounded(one.similarity), "image": one.image}
