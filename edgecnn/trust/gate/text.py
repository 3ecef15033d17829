"""A check as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.trust.gate.report import CheckReport
from edgecnn.trust.gate.verdict import BudgetVerdict

HEADS = ("budget", "needs", "measured", "95 % interval", "verdict")


def check_table(found: CheckReport) -> str:
    """Heading, result, a row for each budget, doubts, notes and times."""
    return "\n".join(_lines(found))


def result_words(found: CheckReport) -> str:
    """The result in one sentence."""
    count = len(found.verdicts)
    if found.broken:
        many = f"{len(found.broken)} of {count} budgets" if count > 1 else "the budget"
        return f"failed: {many} {'is' if len(found.broken) == 1 else 'are'} not met: {broken_words(found)}"
    unsure = sum(one.verdict == "not certain" for one in found.verdicts)
    all_ = f"all {count} budgets are" if count > 1 else "the budget is"
    return f"passed: {all_} met" + (f", {unsure} not with certainty" if unsure else "")


def broken_words(found: CheckReport) -> str:
    """The budgets that are not met, with what was measured and what is needed."""
    return ", ".join(f"{one.title} {value_words(one)} ({needs_words(one)})" for one in found.broken)


def needs_words(one: BudgetVerdict) -> str:
    """The limit in words."""
    return f"{'at least' if one.at_least else 'at most'} {number(one.limit, one.unit)}"


def value_words(one: BudgetVerdict) -> str:
    """The value with its unit."""
    return number(one.value, one.unit)


def interval_words(one: BudgetVerdict) -> str:
    """The interval, "exact" for a value without chance."""
    if one.exact:
        return "exact"
    return "-" if one.low is None or one.high is None else f"{_digits(one.low)} to {_digits(one.high)}"


def number(value: float, unit: str) -> str:
    """A value with its unit: 63.2 %, 1.24 ms."""
    return f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def budget_row(found: CheckReport, one: BudgetVerdict) -> list[str]:
    """One budget as text."""
    return [one.title, needs_words(one), value_words(one), interval_words(one), found.verdict_words(one)]


def doubt_lines(found: CheckReport) -> list[str]:
    """What is behind budgets that did not pass, or not with certainty."""
    return [f"{one.title}: {basis_words(one)}" for one in found.verdicts if one.verdict != "passed" and basis_words(one)]


def basis_words(one: BudgetVerdict) -> str:
    """What the value is of, and why it can't be certain."""
    return "; ".join(filter(None, [one.detail, one.doubt]))


def times_words(found: CheckReport) -> str:
    """Seconds by part."""
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.seconds.items())
    return f"{sum(found.seconds.values()):.1f} s: {parts}" if parts else ""


def _lines(found: CheckReport) -> Iterator[str]:
    precision = "" if found.precision == "unknown" else f", {found.precision}"
    yield f"{found.file.name} ({found.format}{precision}) against {found.policy.name}"
    if found.dataset:
        split = f", split {found.split}" if found.split else ""
        yield f"{found.dataset}{split}: {counted(found.images, 'image')}"
    yield ""
    yield align_columns([list(HEADS), *(budget_row(found, one) for one in found.verdicts)], 1)
    yield ""
    yield from doubt_lines(found)
    yield from (f"note: {note}" for note in found.notes)
    if found.seconds:
        yield f"measured in {times_words(found)}"
    yield ""
    yield result_words(found)
