"""Which key points belong together: the lines of a drawn skeleton, by the names of the points."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.labels import normalize

# The 17 key points of COCO in its order, and its lines: Lin et al. 2014, arXiv:1405.0312, person_keypoints_val2017.json.
COCO_17: tuple[str, ...] = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow", "right elbow",
    "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
_LINES: tuple[tuple[str, str], ...] = (
    ("left ankle", "left knee"), ("left knee", "left hip"), ("right ankle", "right knee"), ("right knee", "right hip"),
    ("left hip", "right hip"), ("left shoulder", "left hip"), ("right shoulder", "right hip"), ("left shoulder", "right shoulder"),
    ("left shoulder", "left elbow"), ("right shoulder", "right elbow"), ("left elbow", "left wrist"),
    ("right elbow", "right wrist"), ("left eye", "right eye"), ("nose", "left eye"), ("nose", "right eye"),
    ("left eye", "left ear"), ("right eye", "right ear"), ("left ear", "left shoulder"), ("right ear", "right shoulder"),
    # the built-in scene
    ("rim", "rim left"), ("rim", "rim right"), ("rim", "foot"),
)  # fmt: skip


def skeleton(labels: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of positions in ``labels``; () for points whose names are not known."""
    places = {normalize(label): index for index, label in enumerate(labels)}
    return tuple((places[a], places[b]) for a, b in _LINES if a in places and b in places)
