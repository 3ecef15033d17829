"""Computes the tracking metrics MOTA (Bernardin 2008), IDF1 (Ristani 2016) and HOTA (Luiten 2020) by TrackEval.

TrackEval depends on opencv-python, which would overwrite opencv-python-headless, so it is in no extra:
``pip install --no-deps trackeval scipy``.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.errors import InputError
from edgecnn.metrics.match import iou_matrix
from edgecnn.types import Detections, Float32, Int64

SAME_IOU = 0.5  # of a match with ignored ground truth, as in MOT16
WITH_CLASS = 9  # columns of a MOT16 line, whose column 8 is a class; where there are ten (MOT15), column 8 is a position
PEDESTRIAN, NO_CLASS = 1, -1


@dataclass(frozen=True, slots=True, eq=False)
class TrackedBoxes:
    """The boxes of one frame, xyxy (n, 4) pixels, with track ids (n,); ``crowd`` (n,) marks ground truth that is ignored."""

    xyxy: Float32
    identity: Int64
    crowd: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Metrics as fractions of 1 (MOTA has no lower bound) and counts.

    ``switches`` of ids, ``missed`` boxes (false negatives), ``false`` boxes (false positives), ``boxes`` and ``identities`` of the
    ground truth, predicted ``tracks``.
    """

    mota: float
    idf1: float
    hota: float
    deta: float
    assa: float
    switches: int
    missed: int
    false: int
    boxes: int
    identities: int
    tracks: int


def score_tracks(truth: Sequence[TrackedBoxes], predicted: Sequence[TrackedBoxes]) -> TrackScore:
    """The metrics of one sequence, given frame by frame. Predicted boxes that match ignored ground truth are removed (as in MOT16).

    Raises ``ValueError`` for sequences of different lengths or a repeated id in a frame; ``InputError`` without TrackEval.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} frames of ground truth, but {len(predicted)} predicted ones; include the empty frames")
    metrics = _load()
    data = _trackeval_data([_compare(*pair) for pair in zip(truth, predicted, strict=True)])
    # TrackEval prints its configuration
    with contextlib.redirect_stdout(io.StringIO()):
        hota, clear, identity = (metric.eval_sequence(data) for metric in (metrics.HOTA(), metrics.CLEAR(), metrics.Identity()))
    return TrackScore(
        mota=float(clear["MOTA"]),
        idf1=float(identity["IDF1"]),
        # the mean over the IoU thresholds 0.05, 0.1, ..., 0.95
        hota=float(np.mean(hota["HOTA"])),
        deta=float(np.mean(hota["DetA"])),
        assa=float(np.mean(hota["AssA"])),
        switches=int(clear["IDSW"]),
        missed=int(clear["CLR_FN"]),
        false=int(clear["CLR_FP"]),
        boxes=data["num_gt_dets"],
        identities=data["num_gt_ids"],
        tracks=data["num_tracker_ids"],
    )


def read_mot(text: str, frames: int) -> list[TrackedBoxes]:
    """The boxes of frames 1 to ``frames`` in MOT text, ``frame,id,left,top,width,height,...`` with pixels from 1.

    A box with a 0 in column 7, or in nine columns with another class than pedestrian in column 8, is marked ``crowd``.
    Raises ``InputError`` that names the first bad line.
    """
    return [TrackedBoxes(_corners(rows), rows[:, 0].astype(np.int64), rows[:, 5] == 0) for rows in _frames(text, frames)]


def read_mot_detections(text: str, frames: int) -> list[Detections]:
    """The detections of frames 1 to ``frames`` in MOT text, with the score (0 to 1) in column 7 and class 0.

    Raises ``InputError`` that names the first bad line, or for scores outside 0 to 1.
    """
    found = []
    for number, rows in enumerate(_frames(text, frames), 1):
        score = rows[:, 5].astype(np.float32)
        if ((score < 0) | (score > 1)).any():
            raise InputError(
                f"frame {number} has a score of {score[(score < 0) | (score > 1)][0]:g} in column 7", "use scores of 0 to 1"
            )
        found.append(Detections(_corners(rows), score, np.zeros(len(rows), np.int64)))
    return found


def _frames(text: str, frames: int) -> list[NDArray[np.float64]]:
    """The rows (n, 6) of each frame: id, left, top, width, height, column 7."""
    rows: list[list[tuple[float, ...]]] = [[] for _ in range(frames)]
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            frame, *rest = _numbers(line, number, frames)
            rows[int(frame) - 1].append(tuple(rest))
    return [np.array(found, np.float64).reshape(-1, 6) for found in rows]


def _numbers(line: str, number: int, frames: int) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in line.strip().rstrip(",").split(","))
    except ValueError:
        values = ()
    if len(values) < 6 or not np.isfinite(values[:7]).all() or values[0] not in range(1, frames + 1):
        raise InputError(
            f"line {number} is not frame,id,left,top,width,height with a frame of 1 to {frames}: {line.strip()!r}",
            "correct the file",
        )
    counts = values[6] if len(values) > 6 else 1.0  # column 7 is the score in results, "counts" in ground truth
    if len(values) == WITH_CLASS and values[7] not in (PEDESTRIAN, NO_CLASS):
        counts = 0.0
    return (*values[:6], counts)


def _corners(rows: NDArray[np.float64]) -> Float32:
    low = rows[:, 1:3] - 1  # MOT counts pixels from 1
    return np.concatenate([low, low + rows[:, 3:5]], 1).astype(np.float32)


def _compare(truth: TrackedBoxes, predicted: TrackedBoxes) -> tuple[Int64, Int64, NDArray[np.float64]]:
    """Track ids of ground truth and prediction and the IoU of each pair, without ignored boxes."""
    for side in (truth, predicted):
        if len(np.unique(side.identity)) != len(side.identity):
            raise ValueError(f"a track id is repeated in one frame: {side.identity.tolist()}")
    similarity = np.asarray(iou_matrix(truth.xyxy, predicted.xyxy), np.float64)
    if truth.crowd is None or not truth.crowd.any():
        return truth.identity, predicted.identity, similarity
    from scipy.optimize import linear_sum_assignment

    # optimal assignment over all boxes first: a prediction that fits a counted object better is not removed
    rows, columns = linear_sum_assignment(-np.where(similarity >= SAME_IOU, similarity, 0))
    on_crowd = columns[truth.crowd[rows] & (similarity[rows, columns] >= SAME_IOU)]
    counts = np.delete(np.arange(len(predicted.identity)), on_crowd)
    return truth.identity[~truth.crowd], predicted.identity[counts], similarity[~truth.crowd][:, counts]


def _trackeval_data(frames: list[tuple[Int64, Int64, NDArray[np.float64]]]) -> dict[str, Any]:
    """The input of TrackEval's metrics: ids from 0 without gaps."""
    true_ids, true_count = _renumber(frame[0] for frame in frames)
    predicted_ids, predicted_count = _renumber(frame[1] for frame in frames)
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": true_count,
        "num_tracker_ids": predicted_count,
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, predicted_ids)),
        "gt_ids": true_ids,
        "tracker_ids": predicted_ids,
        "similarity_scores": [frame[2] for frame in frames],
    }


def _renumber(frames: Iterable[Int64]) -> tuple[list[Int64], int]:
    parts = list(frames)
    names, numbers = np.unique(np.concatenate([np.empty(0, np.int64), *parts]), return_inverse=True)
    # np.unique numbers the ids of all frames at once: they are cut back into frames
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(numbers, ends), len(names)


def _load() -> Any:
    try:
        from trackeval import metrics
    except ImportError as error:
        fix = "run: pip install --no-deps trackeval && pip install scipy"
        raise InputError("trackeval or scipy is not installed", fix) from error
    return metrics
