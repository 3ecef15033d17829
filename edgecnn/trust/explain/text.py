"""The explanation of a file as text for a terminal."""

from __future__ import annotations

from edgecnn.counts import counted
from edgecnn.trust.explain.section import Explanation


def explanation_text(found: Explanation) -> str:
    """Heading, and the lines of each section."""
    parts = [heading(found)]
    parts += ["\n".join(section.lines) for section in found.sections if section.lines]
    return "\n\n".join(parts)


def heading(found: Explanation) -> str:
    """File, network, input, image and dataset in one line."""
    precision = "" if found.precision == "unknown" else f", {found.precision}"
    about = f"{found.file} ({found.format}{precision}): {found.network}, input {found.input}"
    image = f"; image {found.image}" if found.image else ""
    data = f"; {counted(found.images, 'image')} of {found.dataset}" if found.dataset else ""
    return f"{about}{image}{data}"
