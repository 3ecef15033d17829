"""What the decoders of key points share: objects of points, scores and options of the card."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.skeletons import skeleton
from edgecnn.types import Float32, Poses

POINT_SCORE = 0.2  # key points below it do not count for the box of an object, and are not drawn


def as_poses(points: Float32, score: Float32, card: ModelCard, xyxy: Float32 | None = None) -> Poses:
    """Poses of points (n, K, 3) and scores (n,); boxes are around the points with a sufficient score where none are given.

    The lines of the skeleton are option ``skeleton``, pairs of key points, or those that their names are known for.
    """
    points = np.ascontiguousarray(points, np.float32)
    boxes = _around(points) if xyxy is None else np.ascontiguousarray(xyxy, np.float32)
    given = card.decode.options.get("skeleton")
    lines = tuple((int(a), int(b)) for a, b in given) if given else skeleton(card.labels)
    return Poses(points, np.ascontiguousarray(score, np.float32), boxes, lines)


def _around(points: Float32) -> Float32:
    """Boxes (n, 4) around the key points whose score is sufficient, around all where none is."""
    if not points.size:
        return np.zeros((len(points), 4), np.float32)
    counts = points[..., 2] >= POINT_SCORE
    counts |= ~counts.any(1, keepdims=True)
    places = points[..., :2]
    low = np.where(counts[..., None], places, np.inf).min(1)
    high = np.where(counts[..., None], places, -np.inf).max(1)
    return np.concatenate([low, high], 1).astype(np.float32)
