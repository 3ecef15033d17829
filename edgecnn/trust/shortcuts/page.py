"""The reports of one or more files as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.benchmarks.report.contact_sheet import SheetTile, sheet_tile
from edgecnn.benchmarks.report.template import render
from edgecnn.trust.attribution.overlay import color_bar, overlay, with_boxes
from edgecnn.trust.shortcuts.report import ChangedImage, ShortcutExample, ShortcutsReport
from edgecnn.trust.shortcuts.text import change_rows, evidence_rows, heading, verdict_lines

TILE = 168  # pixels of a picture in the page


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One image of a page: its tiles, each with "good", "bad" or "" for a frame."""

    name: str
    truth: str
    tiles: tuple[tuple[SheetTile, str], ...]


def shortcuts_page(reports: Sequence[ShortcutsReport]) -> str:
    """The page as text; raises ``MissingExtraError`` without jinja2."""
    parts = [
        {
            "heading": heading(one),
            "found": bool(one.findings),
            "lines": verdict_lines(one),
            "changes": change_rows(one),
            "used": [effect.verdict == "uses" for effect in one.effects],
            "evidence": evidence_rows(one),
            "notes": one.notes,
            "examples": [_row(example) for example in one.examples],
        }
        for one in reports
    ]
    return render("edgecnn.trust.shortcuts", "page.html", parts=parts, color_bar=color_bar(), tile=TILE)


def _row(example: ShortcutExample) -> ExampleRow:
    original = sheet_tile(with_boxes(example.image, example.boxes), example.words)
    heat = [
        (sheet_tile(overlay(example.image, one, example.boxes), f"evidence: {name}"), "") for name, one in example.heat.items()
    ]
    return ExampleRow(example.name, example.truth, ((original, ""), *heat, *map(_variant, example.variants)))


def _variant(variant: ChangedImage) -> tuple[SheetTile, str]:
    tile = sheet_tile(with_boxes(variant.image, variant.boxes), f"{variant.title}: {variant.words}")
    return tile, {True: "good", False: "bad", None: ""}[variant.good]
