"""A check as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from edgecnn.benchmarks.report.template import WIDE, load_jinja, render, responsive
from edgecnn.counts import counted
from edgecnn.trust.accuracy.boxes import BoxDetail
from edgecnn.trust.accuracy.labels import LabelDetail
from edgecnn.trust.accuracy.measure import DetailedEvaluation
from edgecnn.trust.accuracy.page import recall_plot, reliability_plot
from edgecnn.trust.accuracy.text import interval, percent
from edgecnn.trust.gate.device_part import where_words
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.text import (
    HEADS,
    basis_words,
    budget_row,
    needs_words,
    result_words,
    times_words,
    value_words,
)
from edgecnn.trust.gate.verdict import PERCENT, POINTS, BudgetVerdict
from edgecnn.trust.groups.page import group_plot
from edgecnn.trust.interval_plot import IntervalRow, interval_plot
from edgecnn.trust.invariance.examples import example_strip

MOST_CLASSES: Final = 40


def check_page() -> None:
    """Raise ``MissingExtraError`` before long work where the page can't be made."""
    load_jinja()


def to_html(found: CheckReport) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    data = found.data
    detail = None if data is None else data.accuracy.detail
    shares = [one for one in found.verdicts if one.unit in (PERCENT, POINTS)]
    return render(
        "edgecnn.trust.gate",
        "check.html",
        found=found,
        result=result_words(found),
        unsure=any(one.verdict == "not certain" for one in found.verdicts),
        heads=HEADS,
        rows=[(budget_row(found, one), basis_words(one), _colour(found, one)) for one in found.verdicts],
        margins=responsive(_margins(found, shares) if shares else None),
        classes=[] if data is None else list(_classes(data.accuracy))[:MOST_CLASSES],
        counted="" if detail is None else detail.counted,
        reliability=responsive(reliability_plot(detail) if isinstance(detail, LabelDetail) and detail.reliability else None),
        recall=responsive(recall_plot(detail) if isinstance(detail, BoxDetail) else None),
        groups=responsive(None if data is None or data.groups is None else group_plot(data.groups)),
        group_title="" if data is None or data.groups is None else data.groups.key.title,
        changes=list(_changes(found)),
        where=list(_where(found)),
    )


def _colour(found: CheckReport, one: BudgetVerdict) -> str:
    return "regression" if one in found.broken else "unsure" if one.verdict == "not certain" else ""


def _margins(found: CheckReport, shares: list[BudgetVerdict]) -> Callable[[float], str]:
    """How far each share is within its limit, in points: the line is the limit."""
    title = "how far each figure is within its limit, in points, with its 95 % interval"

    def drawn(width: float) -> str:
        rows = [
            IntervalRow(
                one.title,
                one.margin,
                _margin_ends(one),
                f"{value_words(one)}, {needs_words(one)}" if width == WIDE else value_words(one),
                "worse" if one in found.broken else "none" if one.verdict == "not certain" else "better",
            )
            for one in shares
        ]
        return interval_plot(rows, width, title)

    return drawn


def _margin_ends(one: BudgetVerdict) -> tuple[float, float] | None:
    if one.low is None or one.high is None:
        return None
    return (one.low - one.limit, one.high - one.limit) if one.at_least else (one.limit - one.high, one.limit - one.low)


def _classes(found: DetailedEvaluation) -> Iterator[tuple[str, str, str, str]]:
    """Class, number of instances, value and interval, the worst first."""
    if found.detail is None:
        return
    name = "ap" if isinstance(found.detail, BoxDetail) else "recall"
    own = {label: figures[name] for label, figures in found.detail.classes.items() if name in figures}
    for label in sorted(own, key=lambda label: own[label].value):
        yield label, f"{found.detail.support[label]:,}", percent(own[label].value), interval(own[label])


def _changes(found: CheckReport) -> Iterator[dict[str, Any]]:
    """What changed images look like, with the accuracy there."""
    for level in found.changes:
        own = level.transformation
        assert own is not None
        assert found.samples is not None
        ends = "" if level.low is None or level.high is None else f" ({100 * level.low:.1f} to {100 * level.high:.1f})"
        levels = (own.neutral, level.level) if not own.words and own.low <= own.neutral <= own.high else (level.level,)
        yield {
            "title": f"{own.title} {own.level_text(level.level)}",
            "words": f"{level.title} {100 * level.value:.1f} %{ends}, {counted(level.images, 'image')}",
            "examples": example_strip(found.samples, own, levels, found.policy.seed),
        }


def _where(found: CheckReport) -> Iterator[tuple[str, str]]:
    """What was measured where, when and on what."""
    yield "file", f"{found.file.name}, {found.format}, {found.precision}"
    yield "policy", f"{found.policy.name}, sha256 {found.policy.sha256}" if found.policy.sha256 else found.policy.name
    if found.dataset:
        split = f", split {found.split}" if found.split else ""
        yield "dataset", f"{found.dataset}{split}, {counted(found.images, 'image')}"
    if found.fingerprint:
        yield "content of the dataset", f"sha256 {found.fingerprint}"
    yield "accuracy on", found.device
    if found.benchmark is not None:
        yield "latency and memory on", where_words(found.benchmark)
    yield "date", found.date
    yield "edgecnn", found.version
    if found.seconds:
        yield "time", times_words(found)
