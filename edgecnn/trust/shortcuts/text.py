"""The report of a search for shortcuts as text for a terminal."""

from __future__ import annotations

from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.trust.shortcuts.effect import Effect, EvidenceSummary
from edgecnn.trust.shortcuts.report import ShortcutsReport


def report_text(report: ShortcutsReport) -> str:
    """Heading, what each change did, the evidence, notes, and the verdict."""
    parts = [heading(report), ""]
    rows = change_rows(report)
    if len(rows) > 1:
        parts += [align_columns(rows, 1), ""]
    rows = evidence_rows(report)
    if len(rows) > 1:
        parts += [align_columns(rows, 1), ""]
    parts += [f"note: {note}" for note in report.notes]
    return "\n".join([*parts, *verdict_lines(report)])


def heading(report: ShortcutsReport) -> str:
    """File, dataset, number of images, and accuracy."""
    precision = "" if report.precision == "unknown" else f", {report.precision}"
    split = f", split {report.split}" if report.split else ""
    measure = "accuracy" if report.task == "classify" else "objects found"
    where = f"{report.file.name} ({report.format}{precision}) on {report.dataset}{split}"
    return f"{where}: {counted(report.images, 'image')}, {measure} {report.accuracy.shown()}"


def verdict_lines(report: ShortcutsReport) -> list[str]:
    """The verdict, and the sentence of each finding."""
    if report.findings:
        title = "shortcut found:"
        if report.verdict == "possible shortcut":
            title = "possible shortcut; without boxes it is not known whether the object is there:"
        return [title, *(f"  {one}" for one in report.findings)]
    if report.verdict == "not shown":
        return ["not shown: too few images, or a network that is hardly ever right"]
    return ["no shortcut found"]


def change_rows(report: ShortcutsReport) -> list[list[str]]:
    """A table with a row for each change, the first row as its head."""
    head = ["change", "images", "before", "after", "change of accuracy, or what is still told (95 %)", "verdict"]
    return [head, *([one.change.title, str(one.images), *_numbers(one), verdict_of(one)] for one in report.effects)]


def verdict_of(one: Effect) -> str:
    """The verdict of a change in words."""
    if one.verdict == "no proof":
        return f"no proof: {one.change.doubt}"
    return "not shown" if one.verdict == "not shown" else f"{one.verdict} {one.change.where}"


def _numbers(one: Effect) -> list[str]:
    told = one.effect.shown("+") if one.change.truth == "kept" else f"still told {one.effect.shown()}"
    return [f"{one.before.value:.2f}", f"{one.after.value:.2f}", told]


def evidence_rows(report: ShortcutsReport) -> list[list[str]]:
    """A table with a row for each method of attribution, the first row as its head."""
    head = [
        "evidence by",
        "images",
        "in the boxes",
        "area of the boxes",
        "beyond chance (95 %)",
        "highest point in a box",
        "verdict",
    ]
    return [head, *(_evidence(one) for one in report.evidence)]


def _evidence(one: EvidenceSummary) -> list[str]:
    numbers = [f"{one.inside.value:.2f}", f"{one.area:.2f}", one.gain.shown("+"), one.pointed.shown()]
    return [one.method, str(one.images), *numbers, one.verdict]
