"""Problems found in a dataset: listed for the user, or an error with --strict."""

from __future__ import annotations

import sys

from edgecnn.data.sample import Dataset
from edgecnn.errors import InputError

SHOWN = 5


def to_stderr(line: str) -> None:
    """Tell a user of a problem while the work goes on."""
    print(line, file=sys.stderr)


def problem_lines(dataset: Dataset, shown: int = SHOWN) -> list[str]:
    """The number of problems, the first ``shown`` of them by file and line, and how many more; empty where there are none."""
    problems = dataset.problems
    if not problems:
        return []
    count = f"{len(problems):,} problem{'' if len(problems) == 1 else 's'} in {dataset.name}:"
    more = [f"  {len(problems) - shown:,} more"] if len(problems) > shown else []
    return [count, *(f"  {problem.where}: {problem.what}" for problem in problems[:shown]), *more]


def check_strict(dataset: Dataset) -> None:
    """Raises ``InputError`` that names the first problem of a dataset that has any."""
    if dataset.problems:
        first = dataset.problems[0]
        count = f"{len(dataset.problems)} problem{'' if len(dataset.problems) == 1 else 's'}"
        raise InputError(
            f"--strict: {dataset.name} has {count}, the first {first.where}: {first.what}",
            "correct the files, or leave --strict out",
        )
