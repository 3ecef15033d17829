"""A measurement by groups as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.metrics.estimate import Interval
from edgecnn.trust.groups.measure import FEW_INSTANCES, GroupEvaluation, GroupScore

HEADS = ("group", "instances", "share", "right", "95 % interval", "behind others", "p corrected")


def group_table(found: GroupEvaluation) -> str:
    """Heading, verdict, warnings, the groups from the worst on, empty groups, notes."""
    return "\n".join(_lines(found))


def group_verdict(found: GroupEvaluation) -> str:
    """The result in one sentence."""
    if found.behind:
        worst = found.behind[0]
        more = f" and {len(found.behind) - 1} more" if len(found.behind) > 1 else ""
        behind = f"{100 * worst.behind:.1f} points behind the others (p = {worst.p_corrected:.2g}, corrected)"
        return f"{worst.name} is served worse{more}: {worst.rate:.1%} right, {behind}"
    if len([group for group in found.groups if group.instances >= FEW_INSTANCES]) < 2:
        return f"fewer than two groups have {FEW_INSTANCES} instances: too few to compare"
    return "no group is behind the others beyond chance"


def gap_words(found: GroupEvaluation) -> str:
    """Overall share and gap with their intervals."""
    gap = f"gap from the best to the worst group {100 * found.gap:.1f} points{_within(found.gap_interval)}"
    return f"{100 * found.overall:.1f} % of {found.instances:,} instances right{_within(found.overall_interval)}; {gap}"


def _within(interval: Interval | None) -> str:
    return "" if interval is None else f" (95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f})"


def never_named_words(found: GroupEvaluation) -> list[str]:
    """A warning for each class that is never named."""
    return [
        f"the mean hides a class: {name}, {count / found.instances:.1%} of the instances, is never named; train with --balance weights"
        for name, count in found.never_named
    ]


def group_row(group: GroupScore, total: int) -> list[str]:
    """One group as text."""
    interval = "-" if group.interval is None else f"{100 * group.interval.low:.1f} to {100 * group.interval.high:.1f}"
    behind = "too few" if group.instances < FEW_INSTANCES else f"{100 * group.behind:+.1f}"
    p = "-" if group.instances < FEW_INSTANCES else f"{group.p_corrected:.2g}{' *' if group.is_behind else ''}"
    return [group.name, f"{group.instances:,}", f"{group.instances / total:.1%}", f"{group.rate:.1%}", interval, behind, p]


def _lines(found: GroupEvaluation) -> Iterator[str]:
    yield f"{found.file} ({found.format}) on {found.dataset} by {found.key.title}: {counted(found.images, 'image')}"
    yield ""
    yield f"  {group_verdict(found)}"
    yield f"  {gap_words(found)}"
    yield from (f"  warning: {words}" for words in never_named_words(found))
    yield ""
    rows = [list(HEADS), *(group_row(group, found.instances) for group in found.groups)]
    yield from (f"  {line}" for line in align_columns(rows, 1).splitlines())
    yield from (f"  the group {name} is empty: nothing to measure" for name in found.empty)
    yield from (f"  note: {note}" for note in found.notes)
