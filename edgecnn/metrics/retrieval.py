"""Computes how well vectors find others of the same class: recall@k, and the similarity that tells classes apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgecnn.errors import InputError
from edgecnn.metrics.left_out import left_out
from edgecnn.metrics.score import Score
from edgecnn.types import Array, Embedding, Float32, Int64

KS = (1, 5)
FALSE_ACCEPTS = 0.01  # share of pairs of different classes that the reported threshold lets pass
BINS = 4000  # of the histograms of similarities over -1..1
ROWS = 512  # queries compared at once with all vectors


@dataclass(slots=True)
class RetrievalAccumulator:
    """Accumulates vectors of length 1 with their classes image by image."""

    labels: tuple[str, ...]
    _vectors: list[Float32] = field(default_factory=list)
    _classes: list[int] = field(default_factory=list)

    def add(self, found: Embedding, label: int) -> None:
        """Add one image: its vector and its class."""
        self._vectors.append(found.vector)
        self._classes.append(label)

    def score(self, notes: tuple[str, ...]) -> Score:
        """The score of all images added; raises ``InputError`` where no class has two images."""
        vectors, classes = np.stack(self._vectors), np.array(self._classes, np.int64)
        support = np.bincount(classes, minlength=len(self.labels))
        if support.max(initial=0) < 2:
            raise InputError(
                "no class has two images, so none can be found again", "name a dataset with several images of a class"
            )
        alone = int((support == 1).sum())
        if alone:
            notes += (f"classes with a single image are not searched for, only among: {alone}",)
        values, hits = retrieval_metrics(vectors, classes)
        searched = support[classes] > 1
        first = np.full(len(classes), np.nan)
        first[searched] = hits
        per_class = {
            name: float(hits[classes[searched] == index].mean()) for index, name in enumerate(self.labels) if support[index] > 1
        }
        counts = {name: int(count) for name, count in zip(self.labels, support, strict=True) if count}
        return Score(
            task="embed",
            n=len(classes),
            labels=self.labels,
            values=values,
            per_class=per_class,
            support=counts,
            notes=notes,
            measured="recall@1",
            metric="recall1",
            # without the searches of a group of images; the others still search among all of them
            left_out=left_out(len(classes), lambda kept: np.nanmean(first[kept])),
        )


def retrieval_metrics(vectors: Float32, classes: Int64) -> tuple[dict[str, float], Array]:
    """``recall1``, ``recall5``, ``accept`` and ``threshold`` of vectors (n, D) of length 1, and whether each query is found first.

    Recall@k (Oh Song et al. 2016, arXiv:1511.06452): each image whose class has another one searches all other images
    (leave-one-out); the share of them with an image of their class among the k of the highest cosine similarity. Where similarities
    are equal, images of other classes count as nearer. ``threshold`` is the similarity that 1 % of all pairs of different classes
    reach, ``accept`` the share of pairs of one class that reach it (true accept rate at a false accept rate of 1 %); NaN where all
    images are of one class.
    """
    ranks: list[int] = []
    histograms = np.zeros((2, BINS), np.int64)  # of pairs of different classes, of the same class
    for start in range(0, len(vectors), ROWS):
        rows = np.arange(start, min(start + ROWS, len(vectors)))
        similar = vectors[rows] @ vectors.T
        same = classes[rows][:, None] == classes[None]
        others = rows[:, None] != np.arange(len(vectors))[None]
        for kind, mask in enumerate((~same, same & others)):
            histograms[kind] += _histogram(similar[mask])
        best = np.where(same & others, similar, -np.inf).max(1)
        nearer = (~same & (similar >= best[:, None])).sum(1)
        ranks += nearer[np.isfinite(best)].tolist()
    rank = np.array(ranks)
    values = {f"recall{k}": float((rank < k).mean()) for k in KS}
    return values | _threshold(*histograms), rank < 1


def _histogram(similar: Array) -> Int64:
    bins = np.clip(((similar + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)
    return np.bincount(bins, minlength=BINS)


def _threshold(different: Int64, same: Int64) -> dict[str, float]:
    if not different.sum():
        return {"accept": float("nan"), "threshold": float("nan")}
    reached = different[::-1].cumsum()[::-1] / different.sum()  # share of pairs in this bin or above
    low = min(int((reached > FALSE_ACCEPTS).sum()), BINS - 1)
    return {"accept": float(same[low:].sum() / same.sum()), "threshold": low / (BINS / 2) - 1}
