"""A comparison of two files as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.metrics.estimate import Interval
from edgecnn.metrics.score import points
from edgecnn.trust.paired.comparison import PairedEvaluation
from edgecnn.trust.paired.group_changes import GroupChanges
from edgecnn.trust.paired.image_pair import ImagePair
from edgecnn.trust.paired.part_changes import PartChange
from edgecnn.trust.paired.score_drift import MOVED

SHOWN_IMAGES, SHOWN_PARTS = 10, 12
_COUNTS = ("instances", "right before", "after", "lost", "gained", "change", "95 % interval", "p", "p corrected")
GROUP_HEADS = ("group", *_COUNTS)


def pair_table(found: PairedEvaluation) -> str:
    """The comparison: heading, causes, means, classes that pay, score drift, images, notes."""
    return "\n".join([*_lines(found)])


def verdict(found: PairedEvaluation) -> str:
    """The result in one sentence."""
    name = found.after.file.name
    if any(cause.fatal for cause in found.causes):
        return f"{name} has collapsed: {found.causes[0].words}"
    if found.causes:
        return f"{name} is doubtful: {found.causes[0].words}"
    paying = found.paying
    of_mean = "" if found.mean is None else f"mean {_mean_change(found)}, "
    if paying:
        return f"{of_mean}but {_worst(paying)}"
    if found.too_few:
        return f"{of_mean}too few images to say whether a class pays"
    return f"{of_mean}no class shows a loss beyond chance"


def group_verdict(groups: GroupChanges) -> str:
    """Which groups pay, in one sentence."""
    if groups.paying:
        return f"by {groups.by}: {_worst(groups.paying)}"
    return f"by {groups.by}: no group shows a loss beyond chance"


def _worst(paying: Sequence[PartChange]) -> str:
    worst, more = paying[0], f" and {len(paying) - 1} more" if len(paying) > 1 else ""
    return f"{worst.name} {_points(worst.difference)} points (p = {worst.p_corrected:.2g}, corrected){more}"


def mean_words(found: PairedEvaluation) -> str:
    """The primary metric of both files, with the interval of the difference; "" without labels."""
    mean = found.mean
    if mean is None:
        return ""
    title = mean.before.primary_title
    first, second = (points(title, score.primary) for score in (mean.before, mean.after))
    interval = "" if mean.interval is None else f", 95 % interval {_span(mean.interval)}"
    return f"{title} {first:.2f} -> {second:.2f}: {points(title, mean.difference):+.2f} points{interval}"


def agreement_words(found: PairedEvaluation) -> str:
    """How many labels or boxes are the same."""
    what = {"classify": "labels", "detect": "boxes"}.get(found.task, "parts of the results")
    interval = (
        ""
        if found.agreement_interval is None
        else f", 95 % interval {found.agreement_interval.low:.1%} to {found.agreement_interval.high:.1%}"
    )
    return f"{found.agreement:.1%} of the {what} agree{interval}"


def drift_words(found: PairedEvaluation) -> str:
    """How scores moved; "" where nothing is named in common."""
    drift = found.drift
    if drift is None:
        return "the files name nothing in common, so scores can't be compared"
    interval = "" if drift.interval is None else f" (95 % interval {drift.interval.low:+.3f} to {drift.interval.high:+.3f})"
    return (
        f"scores moved by {drift.mean:+.3f} on average{interval}; 90 % between {drift.p5:+.3f} and {drift.p95:+.3f}; "
        f"{drift.moved:.1%} of {drift.count:,} by more than {MOVED:g}"
    )


def image_words(found: PairedEvaluation, pair: ImagePair) -> str:
    """What changed in one image."""
    if pair.truth is None:
        before, after = (Counter(found.names(ids.tolist())) for ids in (pair.named_before, pair.named_after))
        gone, new = before - after, after - before
        return _joined([_listed("only before:", gone), _listed("only after:", new)]) or _moved(pair)
    parts = [_listed("lost", Counter(found.names(pair.lost))), _listed("gained", Counter(found.names(pair.gained)))]
    if pair.more_extra:
        count = abs(pair.more_extra)
        parts.append(f"{count} {'more' if pair.more_extra > 0 else 'fewer'} named wrongly")
    return _joined(parts) or _moved(pair)


def _lines(found: PairedEvaluation) -> Iterator[str]:
    split = f", split {found.split}" if found.split else ""
    count = counted(len(found.images), "image")
    yield f"{found.before.shown} -> {found.after.shown} on {found.dataset}{split}: {count}"
    yield ""
    yield f"  {verdict(found)}"
    yield from (f"  also: {cause.words}" for cause in found.causes[1:])
    yield ""
    yield from (f"  {words}" for words in (mean_words(found), agreement_words(found), drift_words(found)) if words)
    changed = [one for one in found.classes if one.lost or one.gained or one.extra_after != one.extra_before]
    yield from _table(class_heads(found), [class_row(found, one) for one in changed], "classes that changed")
    if found.groups is not None:
        yield ""
        yield f"  {group_verdict(found.groups)}"
        yield from _table(GROUP_HEADS, [group_row(one) for one in found.groups.changes], "groups")
        yield from (f"  the group {name} is empty: nothing to compare" for name in found.groups.empty)
    yield from _image_lines(found)
    if found.notes:
        yield ""
    yield from (f"  note: {note}" for note in found.notes)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], what: str) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield from (f"  {line}" for line in align_columns([heads, *rows[:SHOWN_PARTS]], 1).splitlines())
    left = len(rows) - SHOWN_PARTS
    if left > 0:
        yield f"  and {left} more {what} (--json FILE has all)"


def class_heads(found: PairedEvaluation) -> list[str]:
    """The heads of the table of classes."""
    if not found.has_truth:
        return ["class", "named before", "after", "change", "p", "p corrected"]
    noun, wrong = {"detect": ("objects", "false boxes"), "classify": ("images", "named wrongly")}.get(
        found.task, (_COUNTS[0], "named wrongly")
    )
    return ["class", noun, *_COUNTS[1:], f"{wrong}, before -> after"]


def class_row(found: PairedEvaluation, one: PartChange) -> list[str]:
    """One class as text."""
    if not found.has_truth:
        return [one.name, str(one.before), str(one.after), f"{one.after - one.before:+d}", *_p_values(one)]
    return [*group_row(one), f"{one.extra_before} -> {one.extra_after}"]


def group_row(one: PartChange) -> list[str]:
    """One group as text."""
    numbers = [str(value) for value in (one.instances, one.before, one.after, one.lost, one.gained)]
    interval = "-" if one.interval is None else _span(one.interval)
    return [one.name, *numbers, _points(one.difference), interval, *_p_values(one)]


def _p_values(one: PartChange) -> list[str]:
    return [f"{one.p:.2g}", f"{one.p_corrected:.2g}{' *' if one.is_sure else ''}"]


def _image_lines(found: PairedEvaluation) -> Iterator[str]:
    changed = found.changed
    if not changed:
        yield ""
        yield "  the files agree on every image"
        return
    yield ""
    yield f"  {len(changed):,} of {counted(len(found.images), 'image')} changed, worst first"
    shown = changed[:SHOWN_IMAGES]
    width = max(len(pair.name) for pair in shown)
    yield from (f"  {pair.name:<{width}}  {image_words(found, pair)}" for pair in shown)
    if len(changed) > len(shown):
        yield f"  and {len(changed) - len(shown):,} more (--json FILE has all)"


def _mean_change(found: PairedEvaluation) -> str:
    assert found.mean is not None
    return f"{points(found.mean.before.primary_title, found.mean.difference):+.2f} points"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _span(interval: Interval) -> str:
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"


def _listed(word: str, names: Counter[str]) -> str:
    parts: Sequence[str] = [name if count == 1 else f"{count} {name}" for name, count in names.items()]
    return f"{word} {', '.join(parts)}" if parts else ""


def _joined(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)


def _moved(pair: ImagePair) -> str:
    return f"{pair.total - pair.same} of {pair.total} do not agree"
