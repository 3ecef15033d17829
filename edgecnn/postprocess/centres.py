"""Decodes key points that are found by the centres of their objects: CenterNet, arXiv:1904.07850, as EdgePose has it."""

from __future__ import annotations

import cv2
import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.key_points import as_poses
from edgecnn.postprocess.tensors import unexpected_outputs
from edgecnn.types import Float32, Poses, Tensors

SCORE, MOST = 0.3, 100
APART = 0.3  # of the smaller object's size: of two centres nearer than this, the better one stays


def centres(outputs: Tensors, card: ModelCard) -> Poses:
    """``centres`` (1, 1, h, w), scores of 0..1, and ``offsets`` (1, 2 K, h, w), x and y of K key points from the middle of the cell.

    Offsets are a share of option ``reach`` (0.5) times the longer side of the input. An object is a cell with a score of at least
    option ``score_threshold``, the highest of the 3 x 3 cells around it; at most ``max_detections`` are kept. Every key point has the
    object's score. Raises ``ArtifactError`` for outputs of other names or shapes.
    """
    keys = len(card.labels)
    score, offset = outputs.get("centres"), outputs.get("offsets")
    if score is None or offset is None or score.ndim != 4 or offset.shape != (1, 2 * keys, *score.shape[2:]):
        needed = (
            f"centres (1, 1, height, width) and offsets (1, {2 * keys}, height, width), two for each of the {keys} key points"
        )
        raise unexpected_outputs("centres", needed, outputs)
    height, width = card.preprocess.size
    options = card.decode.options
    plane = np.ascontiguousarray(score[0, 0], np.float32)
    peaks = (plane >= options.get("score_threshold", SCORE)) & (plane >= cv2.dilate(plane, np.ones((3, 3), np.uint8)))
    row, column = np.nonzero(peaks)
    best = np.argsort(-plane[row, column], kind="stable")[: int(options.get("max_detections", MOST))]
    row, column = row[best], column[best]
    found = plane[row, column]
    reach = float(options.get("reach", 0.5)) * max(height, width)
    shift = offset[0, :, row, column].astype(np.float32).reshape(-1, keys, 2) * np.float32(reach)
    stride = np.array([width / plane.shape[1], height / plane.shape[0]], np.float32)
    middle = (np.stack([column, row], 1).astype(np.float32) + np.float32(0.5)) * stride
    points = np.concatenate([middle[:, None] + shift, np.broadcast_to(found[:, None, None], (len(found), keys, 1))], 2)
    return as_poses(points, found, card)[_apart(points[..., :2])]


def _apart(points: Float32) -> list[int]:
    """The objects, best first, of which no better one has nearly the same key points: two cells may be peaks of one object."""
    size = np.maximum(np.ptp(points, axis=1).max(1), 1.0) if len(points) else np.zeros(0)
    kept: list[int] = []
    for index in range(len(points)):
        distance = np.linalg.norm(points[kept] - points[index], axis=2).mean(1)
        if not (distance < APART * np.minimum(size[kept], size[index])).any():
            kept.append(index)
    return kept
