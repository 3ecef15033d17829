"""One change of the code that a test has to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """``old`` becomes ``new`` in ``file``; ``tests`` (paths or node ids, with spaces between) must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str
