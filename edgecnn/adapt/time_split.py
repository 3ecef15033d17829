"""Divides frames by time into those to train on and those to compare with: no frame of one part is a neighbour of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgecnn.errors import InputError

HELD_OUT_EVERY = 4  # each fourth block of time is held out, the last one among them
BLOCKS = 8
GUARD_S = 2.0  # training frames that are nearer to a held-out one are left out
LEAST_TRAIN, LEAST_HELD_OUT = 10, 5


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Names of frames to ``train`` on, ``held_out`` ones, and ``between``, which are in neither; each in order of time."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    between: tuple[str, ...]


def split_by_time(at_s: Mapping[str, float]) -> TimeSplit:
    """Divide frames, given with the second at which each was seen, into blocks of equal numbers of frames.

    Raises ``InputError`` where there are too few frames.
    """
    ordered = sorted(at_s, key=lambda name: (at_s[name], name))
    blocks = BLOCKS if len(ordered) >= 5 * BLOCKS else HELD_OUT_EVERY
    number = {name: place * blocks // max(len(ordered), 1) for place, name in enumerate(ordered)}
    held_out = [name for name in ordered if number[name] % HELD_OUT_EVERY == HELD_OUT_EVERY - 1]
    others = [name for name in ordered if number[name] % HELD_OUT_EVERY != HELD_OUT_EVERY - 1]
    between = [name for name in others if any(abs(at_s[name] - at_s[other]) < GUARD_S for other in held_out)]
    train = [name for name in others if name not in set(between)]
    if len(train) < LEAST_TRAIN or len(held_out) < LEAST_HELD_OUT:
        raise InputError(
            f"{len(ordered)} different frames are too few: {len(train)} to train on and {len(held_out)} to compare with",
            "watch longer (--minutes), or keep frames that are nearer to each other (--gap) in another --out",
        )
    return TimeSplit(tuple(train), tuple(held_out), tuple(between))
