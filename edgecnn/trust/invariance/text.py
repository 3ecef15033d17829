"""A robustness measurement as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecnn.benchmarks.report.names import ellipsize
from edgecnn.columns import align_columns
from edgecnn.counts import counted
from edgecnn.trust.invariance.result import CorruptionError, FileRobustness, LevelResult, Robustness
from edgecnn.trust.invariance.transformation import Transformation

WORST_CLASSES = 3
LEAST_SUPPORT = 20  # true examples of a class: with fewer, one more or less is five points


def to_table(found: Robustness) -> str:
    """A heading, a row for each transformation with a column for each file, the numbers for robustness, and the notes."""
    split = f", split {found.split}" if found.split else ""
    several = (
        f"{found.images:,} of {found.available:,} images, evenly spread"
        if found.images < found.available
        else counted(found.images, "image")
    )
    lines = [
        f"{', '.join(own.name for own in found.files)} on {found.dataset}{split}: {several}",
        "",
        f"{found.title} in %: mean over the levels, and lowest at",
        align_columns(_rows(found), left=1),
        "",
        *_number_lines(found.files),
        *_class_lines(found.files[0]),
        *(f"note: {note}" for note in found.notes),
    ]
    if not found.complete:
        lines.append("note: interrupted: only complete levels are listed, and there is no corruption error")
    return "\n".join(lines)


def _rows(found: Robustness) -> list[list[str]]:
    rows = [["", *(ellipsize(own.name) for own in found.files)]]
    rows.append(["images as they are", *(with_interval(own.clean) for own in found.files)])
    for own, _ in found.transformations:
        curves = [file.curve(own.name) for file in found.files]
        if all(curves):
            rows.append([f"{own.title} {_range(own, curves[0])}", *(_cell(curve) for curve in curves)])
    return rows


def _cell(curve: Sequence[LevelResult]) -> str:
    if len(curve) == 1:
        return with_interval(curve[0])
    worst = min(curve, key=lambda one: one.value)
    assert worst.transformation is not None
    mean = sum(one.value for one in curve) / len(curve)
    return f"{100 * mean:.1f}, {100 * worst.value:.1f} at {worst.transformation.level_text(worst.level)}"


def with_interval(one: LevelResult) -> str:
    """The accuracy in percent with its interval, or that there are too few images."""
    value = f"{100 * one.value:.1f}"
    if one.low is None or one.high is None:
        return value
    few = ", too few images to tell" if one.too_few else ""
    return f"{value} ({100 * one.low:.1f} to {100 * one.high:.1f}{few})"


def _range(own: Transformation, curve: Sequence[LevelResult]) -> str:
    if own.words or len(curve) == 1:
        return ", ".join(own.level_text(one.level) for one in curve)
    return f"{own.level_text(curve[0].level)} to {own.level_text(curve[-1].level)}"


def _number_lines(files: Sequence[FileRobustness]) -> Iterator[str]:
    for own in files:
        if own.corruption_error is not None:
            yield f"{own.name}: {number_text(own.corruption_error)}"
    if any(own.corruption_error is not None for own in files):
        yield ""


def number_text(error: CorruptionError) -> str:
    """The mean corruption error in words, with its interval and what it is relative to."""
    interval = "" if error.interval is None else f" ({100 * error.interval[0]:.1f} to {100 * error.interval[1]:.1f})"
    relative = "" if error.relative is None else f", relative mCE {100 * error.relative:.1f} %"
    if error.relative is not None and error.relative_interval is not None:
        relative += f" ({100 * error.relative_interval[0]:.1f} to {100 * error.relative_interval[1]:.1f})"
    what = f"mCE {100 * error.mean:.1f} % of the errors of {error.baseline}"
    if not error.baseline:
        what = f"mean corruption error {100 * error.mean:.1f} %, not divided by that of a baseline"
        relative = "" if error.relative is None else f"; {100 * error.relative:.1f} points above the error without corruption"
    return f"{what}{interval}{relative}"


def _class_lines(own: FileRobustness) -> Iterator[str]:
    """The classes that lose most in each transformation, where there are several classes with enough objects or images."""
    if len(own.clean.per_class) < 2 or not own.levels:
        return
    if not any(count >= LEAST_SUPPORT for count in own.clean.support.values()):
        yield f"no class has {LEAST_SUPPORT} or more true examples: too few to tell which classes lose most"
        yield ""
        return
    yield f"classes of {own.name} that lose most (points lost, mean over the levels; of those with {LEAST_SUPPORT} or more true examples)"
    for name in dict.fromkeys(one.transformation.name for one in own.levels if one.transformation is not None):
        lost = worst_classes(own, name, least=LEAST_SUPPORT)
        yield f"  {name:<12}" + ", ".join(f"{label} {100 * points:.1f}" for label, points in lost)
    yield ""


def worst_classes(own: FileRobustness, transformation: str, most: int = WORST_CLASSES, least: int = 0) -> list[tuple[str, float]]:
    """The ``most`` classes with the largest mean loss over the levels of a transformation, as fractions of 1, largest first.

    Classes with fewer than ``least`` true examples are left out: their figures say nothing.
    """
    curve = own.curve(transformation)
    lost = {}
    for label, before in own.clean.per_class.items():
        values = [one.per_class[label] for one in curve if label in one.per_class]
        if values and own.clean.support.get(label, 0) >= least:
            lost[label] = before - sum(values) / len(values)
    return sorted(lost.items(), key=lambda row: -row[1])[:most]
