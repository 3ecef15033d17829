"""Renders the templates of the HTML pages with their common style sheet; no scripts, no external resources."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

from edgecnn.system_errors import missing_extra

WIDE, NARROW = 1000.0, 352.0  # pixels: a desktop page, a phone


def load_jinja() -> Any:
    """The package jinja2; raises ``MissingExtraError`` where it is not installed."""
    try:
        import jinja2
    except ImportError as error:
        raise missing_extra(error, "jinja2", "measure") from error
    return jinja2


def render(package: str, template: str, **values: Any) -> str:
    """The template of a package filled with ``values`` and ``style``; raises ``MissingExtraError`` without jinja2."""
    jinja2 = load_jinja()
    source = resources.files(package).joinpath(template).read_text(encoding="utf-8")
    style = resources.files("edgecnn.benchmarks.report").joinpath("style.css").read_text(encoding="utf-8")
    # StrictUndefined: a misspelt field raises instead of printing nothing
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page: str = environment.from_string(source).render(style=style, **values)
    return page


def responsive(plot: Callable[[float], str] | None) -> dict[str, str]:
    """A plot drawn for wide and for narrow pages: a scaled plot has text too small to read."""
    return {} if plot is None else {"wide": plot(WIDE), "narrow": plot(NARROW)}
