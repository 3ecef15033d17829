"""How well identities are kept: MOTA (Bernardin 2008), IDF1 (Ristani 2016) and HOTA (Luiten 2020), computed by TrackEval.

TrackEval asks for opencv-python, which would replace the headless one, so no extra names it: ``pip install --no-deps trackeval scipy``.
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
from edgecnn.types import Float32, Int64

SAME_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """The boxes of one frame, xyxy (n, 4) pixels, with identities (n,); ``crowd`` (n,) marks truth that does not count."""

    xyxy: Float32
    identity: Int64
    crowd: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Shares of 1, MOTA down to minus infinity; counts of switched identities, missed and false boxes, of truth and of found tracks."""

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


def score_tracks(truth: Sequence[Identified], found: Sequence[Identified]) -> TrackScore:
    """The scores of one sequence, frame by frame. Found boxes that match truth which does not count are left out (as in MOT16).

    Raises ``ValueError`` where the sequences differ in length or an identity is twice in a frame; ``InputError`` without TrackEval.
    """
    if len(truth) != len(found):
        raise ValueError(f"wanted as many frames found as true, found {len(found)} and {len(truth)}: give empty frames too")
    metrics = _load()
    data = _data([_judged(*pair) for pair in zip(truth, found, strict=True)])
    with contextlib.redirect_stdout(io.StringIO()):
        hota, clear, identity = (metric.eval_sequence(data) for metric in (metrics.HOTA(), metrics.CLEAR(), metrics.Identity()))
    return TrackScore(
        mota=float(clear["MOTA"]),
        idf1=float(identity["IDF1"]),
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


def read_mot(text: str, frames: int) -> list[Identified]:
    """The boxes of frames 1 to ``frames`` in MOT text, ``frame,id,left,top,width,height,...`` with pixels from 1.

    Raises ``InputError`` that names the first bad line.
    """
    rows: list[list[tuple[float, ...]]] = [[] for _ in range(frames)]
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            frame, *rest = _numbers(line, number, frames)
            rows[int(frame) - 1].append(tuple(rest))
    return [_identified(np.array(found, np.float64).reshape(-1, 6)) for found in rows]


def _numbers(line: str, number: int, frames: int) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in line.split(",")[:7])
    except ValueError:
        values = ()
    if len(values) < 6 or not np.isfinite(values).all() or values[0] not in range(1, frames + 1):
        wanted = f"frame,id,left,top,width,height with a frame of 1 to {frames} in line {number}"
        raise InputError(wanted, repr(line.strip()), "correct the file")
    return values if len(values) == 7 else (*values, 1.0)


def _identified(rows: NDArray[np.float64]) -> Identified:
    low = rows[:, 1:3] - 1
    xyxy = np.concatenate([low, low + rows[:, 3:5]], 1).astype(np.float32)
    return Identified(xyxy, rows[:, 0].astype(np.int64), rows[:, 5] == 0)


def _judged(truth: Identified, found: Identified) -> tuple[Int64, Int64, NDArray[np.float64]]:
    """Identities of truth and of what was found, and the overlap of each pair, without what does not count."""
    for side in (truth, found):
        if len(np.unique(side.identity)) != len(side.identity):
            raise ValueError(f"wanted each identity once in a frame, found {side.identity.tolist()}: correct it")
    similarity = np.asarray(iou_matrix(truth.xyxy, found.xyxy), np.float64)
    if truth.crowd is None or not truth.crowd.any():
        return truth.identity, found.identity, similarity
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-np.where(similarity >= SAME_IOU, similarity, 0))
    on_crowd = columns[truth.crowd[rows] & (similarity[rows, columns] >= SAME_IOU)]
    counts = np.delete(np.arange(len(found.identity)), on_crowd)
    return truth.identity[~truth.crowd], found.identity[counts], similarity[~truth.crowd][:, counts]


def _data(frames: list[tuple[Int64, Int64, NDArray[np.float64]]]) -> dict[str, Any]:
    """What TrackEval's metrics take: identities from 0 without gaps."""
    true_ids, true_names = _numbered(frame[0] for frame in frames)
    found_ids, found_names = _numbered(frame[1] for frame in frames)
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": true_names,
        "num_tracker_ids": found_names,
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, found_ids)),
        "gt_ids": true_ids,
        "tracker_ids": found_ids,
        "similarity_scores": [frame[2] for frame in frames],
    }


def _numbered(frames: Iterable[Int64]) -> tuple[list[Int64], int]:
    parts = list(frames)
    names, numbers = np.unique(np.concatenate([np.empty(0, np.int64), *parts]), return_inverse=True)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(numbers, ends), len(names)


def _load() -> Any:
    try:
        from trackeval import metrics
    except ImportError as error:
        do = "run: pip install --no-deps trackeval && pip install scipy"
        raise InputError("the package trackeval", "it is not installed, or scipy is not", do) from error
    return metrics
