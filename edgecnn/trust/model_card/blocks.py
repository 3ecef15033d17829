"""What a model card consists of, before it is written as Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Words:
    """A text of one or several paragraphs; ``stated``: whether somebody or something said it."""

    text: str
    stated: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and their values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FigureTable:
    """Figures: ``caption`` names the dataset, ``notes`` are sentences below."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of a shell session or a BibTeX entry."""

    language: str
    text: str


Block: TypeAlias = Words | Facts | FigureTable | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a ``level`` (2 for a main one) with what stands below it."""

    title: str
    level: int
    blocks: tuple[Block, ...] = ()


def said(text: str) -> Words:
    """A text that may be missing: then it says so."""
    return Words(text) if text else Words("Not stated.", stated=False)


def fact_rows(rows: Sequence[tuple[str, str]]) -> Facts:
    """Facts of which some may be missing: they say so."""
    return Facts(tuple((name, value or NOT_STATED) for name, value in rows))
