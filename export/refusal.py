"""The error for a model that a converter or a quantizer refuses, with the operator or the line of source that it names, if any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgecnn.errors import InputError, first_line

_SOURCE = re.compile(r'File "([^"]+)", line (\d+), in \w+\n\s*([^\n]+)')
_COLORS = re.compile(r"\x1b\[[0-9;]*m|\\x1b\[[0-9;]*m")
_OPERATORS = (
    re.compile(r"aten(?:::|\.)(\w+)"),
    re.compile(r"operat(?:or|ion|ions|ors)?:? ['\"<]?((?:\w+[.:]+)?\w*[A-Z_.]\w+)['\">]?"),
)
DATA_DEPENDENT = ("data-dependent", "GuardOnDataDependent", "Dynamic control flow", "ConcretizationTypeError")


def refused(what: str, error: Exception, otherwise: str) -> InputError:
    """``what`` was refused with ``error``; ``otherwise`` is the fix where the error names neither an operator nor a line."""
    text = "\n".join(f"{type(one).__name__}: {one}" for one in _chain(error))
    if _depends_on_values(text):
        return InputError(f"{what}: what it computes depends on the values of its input", _fix(text))
    reason = _COLORS.sub("", first_line(error))
    return InputError(f"{what}: {type(error).__name__}: {reason}", _fix(text) or otherwise)


def _depends_on_values(text: str) -> bool:
    return any(word in text for word in DATA_DEPENDENT)


def _fix(text: str) -> str:
    line = _SOURCE.findall(text)
    if _depends_on_values(text):
        where = _place(line[-1]) if line else "the forward pass"
        return f"remove what depends on the values of the input, a branch or a shape: {where}"
    for pattern in _OPERATORS:
        found = pattern.search(text)
        if found:
            return f"replace the operator {found.group(1)}" + (f", {_place(line[-1])}" if line else "")
    return f"replace what it does here: {_place(line[-1])}" if line else ""


def _place(line: tuple[str, str, str]) -> str:
    file, number, code = line
    return f"line {number} of {Path(file).name}: {code.strip()[:80]}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(10):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__
