"""A part of what `edgecnn explain` says: text, a part of the JSON document, and a part of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgecnn.benchmarks.report.template import render
from edgecnn.trust.explain.study import Study

PACKAGE = "edgecnn.trust.explain"


@dataclass(frozen=True, slots=True)
class SectionResult:
    """``key`` names the part in the JSON document, ``document`` holds it; ``lines`` are for a terminal.

    ``html`` is what stands below ``title`` in the page, "" where the section has nothing to show, or no page is asked for. ``anchor``
    is the name that the table of contents of the page links to.
    """

    key: str
    title: str
    document: Any
    lines: tuple[str, ...] = ()
    html: str = ""

    @property
    def anchor(self) -> str:
        """The id of the section in the page."""
        return self.key.replace("_", "-")


Section = Callable[[Study], SectionResult | None]
"""Makes a part from a study; None where the study has nothing for it, for example no image."""


def page_part(study: Study, template: str, **values: Any) -> str:
    """A template of the page filled with ``values``; "" where no page is asked for. Raises ``MissingExtraError`` without jinja2."""
    return render(PACKAGE, template, **values) if study.config.page else ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All parts of a run, with the file that they are about."""

    file: str
    format: str
    precision: str
    network: str
    input: str
    image: str
    dataset: str
    images: int
    seed: int
    sections: tuple[SectionResult, ...] = field(default_factory=tuple)

    def to_document(self) -> Mapping[str, Any]:
        """What `--json` writes; docs/trust.md explains its fields."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "file": self.file,
            "format": self.format,
            "precision": self.precision,
            "image": self.image,
            "dataset": self.dataset,
            "images": self.images,
            "seed": self.seed,
            **{section.key: section.document for section in self.sections},
        }


SCHEMA, VERSION = "edgecnn.explain", 1
