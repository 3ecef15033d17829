"""Chooses which frames of a stream are kept: few, different from each other, the newest of those that look alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.types import Float32

LEAST_GAP_S = 2.0  # between two frames that are kept
ALIKE = 0.05  # distance below which a frame shows nothing new
_ALIKE_FOR_S = 600.0  # after this time it is kept all the same, in place of the older one


@dataclass(frozen=True, slots=True, eq=False)
class KeptFrame:
    """A frame that is kept: the ``name`` of its file, ``at`` seconds, ``place`` (D,) and ``size`` in bytes.

    For a frame of an earlier run ``at`` is minus infinity where its time is not known, and ``place`` is empty where that is not.
    """

    name: str
    at: float
    place: Float32
    size: int


class FrameChoice:
    """At most ``most`` frames of ``most_bytes`` in all, at least ``gap_s`` seconds apart.

    A frame nearer than ``alike`` to another shows nothing new. ``earlier`` are those of an earlier run, oldest first; without a place
    they make room first.
    """

    def __init__(
        self, most: int, most_bytes: int, earlier: Sequence[KeptFrame] = (), *, gap_s: float = LEAST_GAP_S, alike: float = ALIKE
    ) -> None:
        self._most, self._most_bytes, self._gap_s, self._alike = most, most_bytes, gap_s, alike
        self._kept = list(earlier)
        self._last_at = max((one.at for one in self._kept if one.place.size), default=-math.inf)

    def wants(self, at: float, place: Float32) -> bool:
        """Whether a frame shows something that those kept do not show, or showed long ago."""
        if 0 <= at - self._last_at < self._gap_s:
            return False
        near = [one for one in self._kept if one.place.shape == place.shape and distance(one.place, place) < self._alike]
        return all(at - one.at > _ALIKE_FOR_S or at < one.at for one in near)

    def room_for(self, frame: KeptFrame) -> list[str]:
        """The names of those that would make room for a frame."""
        kept, removed = [*self._kept, frame], list[str]()
        while len(kept) > 1 and (len(kept) > self._most or sum(one.size for one in kept) > self._most_bytes):
            removed.append(kept.pop(_least_telling(kept)).name)
        return removed

    def add(self, frame: KeptFrame) -> list[str]:
        """Keep a frame; the names of those that made room for it."""
        removed = self.room_for(frame)
        self._last_at = frame.at
        self._kept = [one for one in (*self._kept, frame) if one.name not in removed]
        return removed


def _least_telling(kept: Sequence[KeptFrame]) -> int:
    """The older one of the two frames that look most alike; before that, the oldest that can't be compared with the newest."""
    strange = [index for index, one in enumerate(kept) if one.place.shape != kept[-1].place.shape]
    if strange:
        return strange[0]
    places = np.stack([one.place for one in kept])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    gaps[np.tril_indices(len(gaps))] = math.inf
    return int(np.unravel_index(int(gaps.argmin()), gaps.shape)[0])


def distance(first: Float32, second: Float32) -> float:
    """How different two frames are."""
    return float(np.linalg.norm(first - second))
