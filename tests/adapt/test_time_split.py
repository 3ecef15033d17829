from __future__ import annotations

import pytest

from edgecnn.adapt.time_split import GUARD_S, split_by_time
from edgecnn.errors import InputError


def seen(count: int, gap_s: float) -> dict[str, float]:
    return {f"{number:03d}.jpg": number * gap_s for number in range(count)}


@pytest.mark.parametrize(("count", "gap_s"), [(40, 1.0), (200, 0.5), (33, 10.0), (300, 0.3)])
def test_no_training_frame_is_a_neighbour_of_a_held_out_one(count: int, gap_s: float) -> None:
    at_s = seen(count, gap_s)
    split = split_by_time(at_s)
    assert sorted([*split.train, *split.held_out, *split.between]) == sorted(at_s)
    nearest = min(abs(at_s[one] - at_s[other]) for one in split.train for other in split.held_out)
    assert nearest >= GUARD_S
    assert 0.2 <= len(split.held_out) / count <= 0.3
    assert list(split.held_out)[-1] == max(at_s)  # the newest frames are among them


def test_frames_of_one_moment_are_not_divided() -> None:
    with pytest.raises(InputError, match="100 different frames are too few: 0 to train on"):
        split_by_time(seen(100, 0.01))


def test_few_frames_are_refused() -> None:
    with pytest.raises(InputError, match="watch longer"):
        split_by_time(seen(12, 5.0))
    with pytest.raises(InputError, match=r"6 .*: 4 to train on .*, 1 to compare with .*, and 1 left out, less than 2 s from one"):
        split_by_time({f"{at}.jpg": at for at in (0.0, 5.0, 10.0, 15.0, 19.0, 20.0)})


@pytest.mark.parametrize("more", [1, 3, 20, 200])
def test_with_more_frames_each_keeps_its_part(more: int) -> None:
    before = split_by_time(seen(60, 1.0))
    at_s = seen(60 + more, 1.0)
    split = split_by_time(at_s, before)
    assert set(before.held_out) <= set(split.held_out)
    assert not set(split.train) & {*before.held_out, *before.between}
    assert sorted([*split.train, *split.held_out, *split.between]) == sorted(at_s)
    assert min(abs(at_s[one] - at_s[other]) for one in split.train for other in split.held_out) >= GUARD_S
    if more >= 20:
        assert 0.2 <= (len(split.held_out) - len(before.held_out)) / more <= 0.3


def test_a_held_out_frame_that_made_room_is_not_missed() -> None:
    at_s = seen(80, 1.0)
    before = split_by_time(seen(60, 1.0))
    gone = before.held_out[0]
    del at_s[gone]
    split = split_by_time(at_s, before)
    assert gone not in {*split.train, *split.held_out, *split.between}
