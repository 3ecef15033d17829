"""Formats the problems found in a dataset, and raises an error for them with --strict."""

from __future__ import annotations

import sys

from edgecnn.counts import counted
from edgecnn.data.sample import Dataset, Problem
from edgecnn.errors import InputError

SHOWN = 5
SHORT, LINE = 80, 400


def to_stderr(line: str) -> None:
    """Print one line to stderr."""
    print(line, file=sys.stderr)


def problem_lines(dataset: Dataset, shown: int = SHOWN) -> list[str]:
    """The notes of a dataset, the number of its problems and the first ``shown`` of them by file and line; empty without any."""
    notes = [f"{dataset.name}: {note}" for note in dataset.notes]
    problems = dataset.problems
    if not problems:
        return notes
    count = f"{counted(len(problems), 'problem')} in {dataset.name}:"
    more = [f"  {len(problems) - shown:,} more"] if len(problems) > shown else []
    return [*notes, count, *(f"  {problem_line(problem)}" for problem in problems[:shown]), *more]


def check_strict(dataset: Dataset) -> None:
    """Raise an ``InputError`` that names the first problem, if the dataset has any."""
    if dataset.problems:
        first = dataset.problems[0]
        count = counted(len(dataset.problems), "problem")
        raise InputError(
            f"--strict: {dataset.name} has {count}, the first {problem_line(first)}",
            "correct the files, or leave --strict out",
        )


def short(value: object, length: int = SHORT) -> str:
    """A value of somebody's file for a message: one line of at most ``length`` printable characters."""
    text = str(value)
    cut = text if len(text) <= length else f"{text[: length - 3]}..."
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)


def problem_line(problem: Problem) -> str:
    """A problem on one line that is not too long, whatever the file holds."""
    return short(f"{problem.where}: {problem.what}", LINE)


def size_problem(image: str, stated_by: str, stated: tuple[float, float], real: tuple[int, int]) -> Problem:
    """An image whose (width, height) in pixels is another one than its annotation states."""
    turned = ": it is turned by its EXIF orientation, or was rotated" if stated[::-1] == real else ""
    what = f"the image has {real[0]}x{real[1]} pixels, but {stated_by} states {stated[0]:g}x{stated[1]:g}{turned}"
    return Problem(image, f"{what}; its boxes may be in the wrong place")
