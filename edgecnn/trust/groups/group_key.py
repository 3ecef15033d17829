"""What `--group-by` names: a column of a CSV file, a folder level, the class, or a measured property with a number of bins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import InputError

MEASURED = ("size", "brightness")  # numbers, which are cut into bins of equal counts
NAMED = ("position", "colour")  # properties with names of their own
BINS = 3


@dataclass(frozen=True, slots=True)
class GroupKey:
    """``kind`` is "class", "folder", "column", or the name of a property.

    ``bins``: of a measured number; ``level``: of a folder, 1 is the first; ``column`` and ``file`` (None: looked for beside the data): of
    a CSV file.
    """

    kind: str
    bins: int = BINS
    level: int = 1
    column: str = ""
    file: Path | None = None

    @property
    def title(self) -> str:
        """What the groups are called in a table."""
        return self.column or (f"folder {self.level}" if self.kind == "folder" and self.level > 1 else self.kind)


def parse_group_key(text: str) -> GroupKey:
    """The key of ``text``: class, folder[:LEVEL], size[:BINS], brightness[:BINS], position, colour, COLUMN or FILE.csv:COLUMN.

    Raises ``InputError`` for a number that is none.
    """
    name, _, rest = text.partition(":")
    word = {"color": "colour"}.get(name, name)
    if not name:
        raise InputError("--group-by is empty", "give a column, folder, size, brightness, position, colour or class")
    if name.lower().endswith(".csv"):
        if not rest:
            raise InputError(f"--group-by {text} names no column", f"write {name}:COLUMN")
        return GroupKey("column", column=rest, file=Path(name).expanduser())
    if word in MEASURED:
        return GroupKey(word, bins=_number(text, rest, BINS, 2))
    if word == "folder":
        return GroupKey(word, level=_number(text, rest, 1, 1))
    if word in (*NAMED, "class"):
        if rest:
            raise InputError(f"--group-by {text}: {word} takes no number", f"write {word}")
        return GroupKey(word)
    return GroupKey("column", column=text)


def _number(text: str, rest: str, usual: int, least: int) -> int:
    if not rest:
        return usual
    if not rest.isdecimal() or int(rest) < least:
        raise InputError(
            f"--group-by {text}: {rest!r} is no whole number from {least} on", f"write {text.partition(':')[0]}:{usual}"
        )
    return int(rest)
