"""Numbers with their noun in the singular or plural, for texts."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """ "1 box", "2 boxes"."""
    plural = noun + ("es" if noun[-1] in "xs" else "s")
    return f"{count:,} {noun if count == 1 else plural}"
