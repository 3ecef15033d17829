"""The result of an attack as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.benchmarks.report.names import ellipsize
from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.metrics.score import TITLES
from edgecnn.trust.attack.attackers import FGSM, PGD, SQUARE
from edgecnn.trust.attack.attackers import TITLES as METHOD_TITLES
from edgecnn.trust.attack.result import AttackedFile, AttackLevel, AttackReport, CertifiedCurve


def to_text(report: AttackReport) -> str:
    """A table for each method, with a row for each file; certificates; then what is suspect."""
    parts = [heading(report)]
    for method in report.methods:
        title = METHOD_TITLES[method] + detail(report, method)
        parts.append(f"{title}\n{align_columns(rows(report, method), left=1)}")
    parts += [f"{one.name} {certified_text(one.certified)}" for one in report.files if one.certified is not None]
    if any(one.certified for one in report.files):
        parts.append(align_columns(certified_rows(report.files), left=1))
    parts.append("\n".join([*(f"warning: {line}" for line in report.warnings), *left_out(report)]))
    return "\n\n".join(part for part in parts if part)


def heading(report: AttackReport) -> str:
    """Data, measure and seed in one line."""
    split = f" ({report.split})" if report.split else ""
    return (
        f"{TITLES[report.metric]} in % on {counted(report.images, 'image')} of {report.dataset}{split} under attack, with 95 % intervals; "
        f"strength in grey levels of 255; seed {report.seed}"
    )


def detail(report: AttackReport, method: str) -> str:
    """What else decides the strength of a method."""
    source = f", gradients of {report.source}"
    return {PGD: f", {report.steps} steps{source}", FGSM: source, SQUARE: f", {report.queries} queries for each image"}.get(
        method, ""
    )


def rows(report: AttackReport, method: str) -> list[list[str]]:
    """The head, and a row for each file: accuracy by strength."""
    head = ["", *(str(eps) for eps in (0, *sorted(report.strengths)))]
    return [head, *([ellipsize(one.name), *map(_cell, one.curve(method))] for one in report.files)]


def _cell(level: AttackLevel) -> str:
    span = "" if level.low is None or level.high is None else f" ({100 * level.low:.0f}-{100 * level.high:.0f})"
    return f"{100 * level.value:.1f}{span}"


def certified_text(found: CertifiedCurve) -> str:
    """Noise, samples and abstentions in one sentence."""
    return (
        f"behind randomised smoothing (standard deviation {found.sigma:g} of the pixel range, {found.samples} copies of each of "
        f"{counted(found.images, 'image')}): {100 * found.accuracy[0]:.1f} % certified right, {100 * found.abstained:.1f} % abstained; "
        f"without smoothing {100 * found.clean:.1f} % right"
    )


def certified_rows(files: Sequence[AttackedFile]) -> list[list[str]]:
    """The head, and a row for each file: certified accuracy in % by L2 radius."""
    found = [(one.name, one.certified) for one in files if one.certified is not None]
    head = ["certified within an L2 distance of", *(f"{radius:.2f}" for radius in found[0][1].radii)]
    return [head, *([ellipsize(name), *(f"{100 * value:.1f}" for value in own.accuracy)] for name, own in found)]


def left_out(report: AttackReport) -> list[str]:
    """A line for each image that could not be read."""
    return [*(f"left out: {line}" for line in report.left_out), *(f"note: {line}" for line in report.notes)]
