"""Divides frames by time into those to train on and those to compare with: no frame of one part is a neighbour of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecnn.counts import counted
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


def split_by_time(at_s: Mapping[str, float], before: TimeSplit | None = None) -> TimeSplit:
    """Divide frames, given with the second at which each was seen, into blocks of equal numbers of frames.

    Frames of ``before`` keep their part: what was held out is never trained on. Only those that came since are divided.
    Raises ``InputError`` where there are too few frames.
    """
    ordered = sorted(at_s, key=lambda name: (at_s[name], name))
    known = set() if before is None else {*before.train, *before.held_out, *before.between}
    chosen = _held_out([name for name in ordered if name not in known]) | set(before.held_out if before else ())
    held_out = [name for name in ordered if name in chosen]
    others = [name for name in ordered if name not in chosen]
    between = {name for name in others if any(abs(at_s[name] - at_s[other]) < GUARD_S for other in held_out)}
    train = [name for name in others if name not in between]
    if len(train) < LEAST_TRAIN or len(held_out) < LEAST_HELD_OUT:
        raise InputError(
            f"{counted(len(ordered), 'different frame')} {'is' if len(ordered) == 1 else 'are'} too few: {len(train)} to train on "
            f"(at least {LEAST_TRAIN} needed), {len(held_out)} to compare with (at least {LEAST_HELD_OUT}), and {len(between)} left out, "
            f"less than {GUARD_S:g} s from one to compare with",
            "watch longer (--minutes, the same --out), or keep frames that are nearer to each other (--gap) in another --out",
        )
    return TimeSplit(tuple(train), tuple(held_out), tuple(name for name in others if name in between))


def _held_out(ordered: Sequence[str]) -> set[str]:
    """Those of the frames, in order of time, that are in each fourth block."""
    blocks = BLOCKS if len(ordered) >= 5 * BLOCKS else HELD_OUT_EVERY
    number = {name: place * blocks // len(ordered) for place, name in enumerate(ordered)}
    return {name for name in ordered if number[name] % HELD_OUT_EVERY == HELD_OUT_EVERY - 1}
