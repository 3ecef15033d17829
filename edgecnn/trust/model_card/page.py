"""A model card as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

import re

from edgecnn.benchmarks.report.template import render
from edgecnn.trust.model_card.blocks import NOT_STATED, Block, Code, Facts, FigureTable, Section, Words
from edgecnn.trust.model_card.content import CardSources, sections, summary

KINDS = {Words: "words", Facts: "facts", FigureTable: "table", Code: "code"}


def card_page(sources: CardSources) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    chapters: list[tuple[Section, list[Section]]] = []
    for section in sections(sources):
        if section.level == _MAIN:
            chapters.append((section, []))
        else:
            chapters[-1][1].append(section)
    return render(
        "edgecnn.trust.model_card",
        "model_card.html",
        title=sources.title,
        summary=summary(sources),
        chapters=[(main.title, _anchor(main.title), _blocks(main), [_part(one) for one in parts]) for main, parts in chapters],
        not_stated=NOT_STATED,
    )


def _part(section: Section) -> tuple[str, int, list[tuple[str, Block]]]:
    return section.title, section.level, _blocks(section)


def _blocks(section: Section) -> list[tuple[str, Block]]:
    return [(KINDS[type(block)], block) for block in section.blocks]


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


_MAIN = 2
