"""The memory of tracks."""

from __future__ import annotations

from edgecnn.runtime.steps.per_track import PerTrack


def test_the_memory_of_tracks_forgets_who_was_asked_for_least_recently() -> None:
    memory = PerTrack(list[int], most=2)
    for track in (1, 2, 1, 3):
        memory[track].append(track)
    assert dict(memory.items()) == {1: [1, 1], 3: [3]}
    memory.drop(1)
    memory.drop(1)
    assert [track for track, _ in memory.items()] == [3]
