"""Tracks boxes by motion and IoU; low-score boxes continue tracks (ByteTrack, Zhang et al. 2022, arXiv:2110.06864)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.match import iou_matrix
from edgecnn.runtime.tracking.assignment import assign
from edgecnn.runtime.tracking.heading import agreement, centres
from edgecnn.runtime.tracking.kalman import Float64, KalmanBoxes
from edgecnn.thresholds import WEAK_TRACK_SCORE
from edgecnn.types import Array, Detections, Float32, Int64

SLOW_CAMERA_FACTOR = 10  # times lost_s: how long a track seen in the last frame is kept until the next one


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """Holds the thresholds of the tracker. Raises ``ValueError`` for values out of range.

    ``high``: minimum score of a box that can continue any track. ``low``: minimum score of a box that can continue a track seen
    in the last frame. ``new``: minimum score of a box that starts a track, which is confirmed after ``confirm`` consecutive
    frames.
    ``classes``: ``high`` of classes with their own, by class id; their ``new`` is as far above it, and their ``low`` is not above it.
    ``lost_s``: seconds a track survives without detections. ``most``: maximum number of tracks; those unseen longest are dropped.
    ``first``, ``second``, ``newest``: minimum IoU in the three matching stages. The IoU is not multiplied by the score as in the
    original, because small networks score low.
    ``heading``: weight of the direction where several pairs are possible (OC-SORT, Cao et al. 2023, arXiv:2203.14360): the IoU
    gets a bonus of heading x score x how well the way to the box fits the track's motion (-1 to 1); 0 ignores directions.
    ``other_class``: factor on the IoU where the class differs; 0 tracks each class separately, 1 ignores classes.
    """

    high: float = 0.5
    low: float = WEAK_TRACK_SCORE
    new: float = 0.6
    confirm: int = 2
    lost_s: float = 2.0
    most: int = 1000
    first: float = 0.15
    second: float = 0.4
    newest: float = 0.2
    heading: float = 0.4
    other_class: float = 0.8
    classes: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = ("high", "low", "new", "first", "second", "newest", "heading", "other_class")
        for name, value in ((name, getattr(self, name)) for name in shares):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {value}")
        if any(not 0 <= value <= 1 for value in self.classes.values()):
            raise ValueError(f"the scores of classes must be between 0 and 1, not {dict(self.classes)}")
        if self.low > self.high or self.confirm < 1 or self.lost_s < 0 or self.most < 1:
            raise ValueError(f"low must not exceed high, confirm and most must be at least 1, lost_s at least 0: {self}")


@dataclass(slots=True)
class _Tracks:
    """One row per track: motion, centre when last seen, id (-1 until confirmed), class, consecutive frames with a detection, time
    last seen, confirmed."""

    motion: KalmanBoxes
    centre: Float64
    identity: Int64
    class_id: Int64
    streak: Int64
    seen_at: Float64
    confirmed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.identity)

    def __getitem__(self, index: Any) -> _Tracks:
        return _Tracks(*(getattr(self, one.name)[index] for one in fields(self)))

    def keep(self, kept: NDArray[np.bool_]) -> _Tracks:
        """Return the tracks where ``kept`` is true."""
        return self if kept.all() else self[kept]


class ByteTrack:
    """Assigns the boxes of one camera to tracks; ids count from 1 and are never reused."""

    def __init__(self, options: TrackOptions | None = None) -> None:
        self.options = options or TrackOptions()
        self._next = 1
        self.clear()

    def clear(self) -> None:
        """End all tracks, for example after a scene cut; ids are not reused."""
        self._at: float | None = None
        self._tracks = self._begin(Detections.empty(), 0.0, confirmed=False)

    @property
    def alive(self) -> Int64:
        """Ids of the confirmed tracks that have not ended."""
        return np.asarray(self._tracks.identity[self._tracks.confirmed], np.int64)

    def update(self, found: Detections, at: float) -> Detections:
        """Return the boxes of the next frame that belong to a confirmed track, with ``track_id``, in their order.

        ``at`` is the time of the frame in seconds. The motion is predicted over the time since the last call, whatever the frame
        rate is and whether frames were skipped.
        """
        # Tracks of the first frame are confirmed at once, as in the original: no earlier frame could have shown them.
        first = self._at is None
        passed = 0.0 if self._at is None else max(at - self._at, 0.0)
        self._at = at
        self._forget(at)
        self._tracks.motion.predict(passed)
        owner = self._associate(found)
        self._continue(found, owner, at)
        self._add(found, owner, at, confirmed=first or self.options.confirm == 1)
        kept = owner >= 0
        return dataclasses.replace(found[kept], track_id=owner[kept])

    # matching: the row of each box's track, -1 for none

    def _associate(self, found: Detections) -> Int64:
        """Return the row of each box's track after three matching stages: high scores, low scores, unconfirmed tracks."""
        options, tracks = self.options, self._tracks
        rows = np.full(len(found), -1, np.int64)
        if not len(tracks) or not len(found):
            return rows
        similarity, bonus = self._similarity(found), self._bonus(found)
        free = np.ones(len(tracks), np.bool_)

        def match(boxes: NDArray[np.bool_], candidates: NDArray[np.bool_], at_least: float) -> None:
            chosen, places = np.flatnonzero(boxes & (rows < 0)), np.flatnonzero(candidates & free)
            if len(chosen) and len(places):
                part = np.ix_(places, chosen)
                matched, columns = assign(similarity[part], at_least, bonus[part])
                rows[chosen[columns]] = places[matched]
                free[places[matched]] = False

        at_least = self._scores(found)
        high = found.score >= at_least
        match(high, tracks.confirmed, options.first)
        # A low score is often an occluded object, but often a false alarm, too: it continues only tracks seen in the last
        # frame.
        weak = (found.score >= np.minimum(np.float32(options.low), at_least)) & ~high
        match(weak, tracks.confirmed & (tracks.streak > 0), options.second)
        match(high, ~tracks.confirmed, options.newest)
        return rows

    def _scores(self, found: Detections, *, new: bool = False) -> Float32:
        """Return for each box the score from which one of its class continues any track, or starts a ``new`` one."""
        options = self.options
        scores = np.full(len(found), options.new if new else options.high, np.float32)
        for class_id, own in options.classes.items():
            scores[found.class_id == class_id] = min(own + options.new - options.high, 1.0) if new else own
        return scores

    def _similarity(self, found: Detections) -> Float32:
        similarity = iou_matrix(self._tracks.motion.xyxy, found.xyxy)
        # The class of an object can change between frames (car, truck), so a different class lowers the similarity, not to
        # zero.
        same = self._tracks.class_id[:, None] == found.class_id[None]
        return similarity if same.all() else np.where(same, similarity, similarity * np.float32(self.options.other_class))

    def _bonus(self, found: Detections) -> Array:
        # A weak box lies less exactly on the object, so its direction says less.
        motion, weight = self._tracks.motion, self.options.heading * found.score[None]
        fit = agreement(motion.velocity[:, :2], motion.position[:, 3], self._tracks.centre, centres(found.xyxy))
        return weight * fit

    # updating the tracks

    def _continue(self, found: Detections, owner: Int64, at: float) -> None:
        """Correct tracks that have a box and end unconfirmed ones without; ``owner`` changes from rows to ids in place."""
        tracks, boxes = self._tracks, np.flatnonzero(owner >= 0)
        rows = owner[boxes]
        tracks.motion.correct(rows, found.xyxy[boxes])
        tracks.centre[rows] = centres(found.xyxy[boxes])
        unseen = np.ones(len(tracks), np.bool_)
        unseen[rows] = False
        tracks.streak[rows] += 1
        tracks.streak[unseen] = 0
        # A hidden object moves on, but its size is frozen: a box that was shrinking while it got occluded would shrink to nothing.
        tracks.motion.velocity[unseen, 2:] = 0
        tracks.seen_at[rows] = at
        tracks.class_id[rows] = found.class_id[boxes]
        tracks.confirmed |= tracks.streak >= self.options.confirm
        tracks.identity[rows] = self._named(tracks.identity[rows], tracks.confirmed[rows])
        # -2 marks boxes of unconfirmed tracks: not returned, and not taken as the start of another track (-1)
        owner[boxes] = np.where(tracks.confirmed[rows], tracks.identity[rows], -2)
        self._tracks = tracks.keep(tracks.confirmed | ~unseen)

    def _add(self, found: Detections, owner: Int64, at: float, *, confirmed: bool) -> None:
        """Start tracks from the boxes that have no track."""
        boxes = np.flatnonzero((owner == -1) & (found.score >= self._scores(found, new=True)))
        if not len(boxes):
            return
        begun = self._begin(found[boxes], at, confirmed=confirmed)
        begun.identity = self._named(begun.identity, begun.confirmed)
        if confirmed:
            owner[boxes] = begun.identity
        parts = [self._tracks, begun]
        rest = (np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(_Tracks)[1:])
        self._tracks = _Tracks(KalmanBoxes.join([part.motion for part in parts]), *rest)

    def _named(self, identity: Int64, confirmed: NDArray[np.bool_]) -> Int64:
        """Return ``identity`` in which confirmed tracks without an id have the next numbers."""
        nameless = np.flatnonzero(confirmed & (identity < 0))
        identity[nameless] = np.arange(self._next, self._next + len(nameless))
        self._next += len(nameless)
        return identity

    def _forget(self, at: float) -> None:
        """Drop tracks unseen for longer than ``lost_s``; those seen in the last frame are kept ten times as long."""
        tracks, unseen_s = self._tracks, at - self._tracks.seen_at
        # A camera with fewer than one frame per lost_s would lose every track between two frames without the second condition.
        kept = (unseen_s <= self.options.lost_s) | ((tracks.streak > 0) & (unseen_s <= SLOW_CAMERA_FACTOR * self.options.lost_s))
        if kept.sum() > self.options.most:
            oldest = np.argsort(-tracks.seen_at, kind="stable")[self.options.most :]
            kept[oldest] = False
        self._tracks = tracks.keep(kept)

    @staticmethod
    def _begin(found: Detections, at: float, *, confirmed: bool) -> _Tracks:
        n = len(found)
        return _Tracks(
            KalmanBoxes.start(found.xyxy),
            centres(found.xyxy),
            np.full(n, -1, np.int64),
            found.class_id.copy(),
            np.ones(n, np.int64),
            np.full(n, at, np.float64),
            np.full(n, confirmed, np.bool_),
        )
