"""Finds as few layers as possible that must stay in float."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Keep = frozenset[str]
RETURNED = 8  # layers that are tried in int8 again at the end


def fewest(passes: Callable[[Keep], bool], order: Sequence[str], most: int) -> Keep | None:
    """A small set of at most ``most`` names from the front of ``order`` for which ``passes``; None where none of them does.

    The number is doubled until the set passes, then halved between; at the end, single names are left out again, those that come last
    in ``order`` first. ``passes`` is asked about 2 log2(n) + ``RETURNED`` times, never with the empty set.
    """
    too_few, enough = 0, 1
    most = min(most, len(order))
    if not most:
        return None
    while not passes(frozenset(order[:enough])):
        if enough >= most:
            return None
        too_few, enough = enough, min(enough * 2, most)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if passes(frozenset(order[:middle])):
            enough = middle
        else:
            too_few = middle
    return _without_needless(passes, order[:enough])


def _without_needless(passes: Callable[[Keep], bool], names: Sequence[str]) -> Keep:
    kept = frozenset(names)
    # the last one is needed, as one name less did not pass; so is a single one
    for name in list(reversed(names[:-1]))[:RETURNED]:
        if passes(kept - {name}):
            kept -= {name}
    return kept
