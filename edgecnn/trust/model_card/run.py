"""Collects what a model card is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.errors import InputError
from edgecnn.integrity import signature_text
from edgecnn.integrity.keys import fingerprint
from edgecnn.integrity.sections import SIGNATURE_KEY, has_sections, split
from edgecnn.runtime.model.description import describe
from edgecnn.trust.model_card.content import CardSources
from edgecnn.trust.model_card.results import read_results
from edgecnn.trust.model_card.statements import read_statements


def card_sources(file: Path, results: Sequence[Path] = (), about: Path | None = None) -> CardSources:
    """What is known of the model ``file``: its own card, the JSON documents ``results``, and the statements in the TOML file ``about``.

    Raises ``InputError`` for a file without a card, and what reading the others raises; ``ArtifactError`` for a damaged file.
    """
    statements = read_statements(about)
    description = describe(file)
    if description.card is None:
        raise InputError(f"{file.name} has no card ({description.card_problem})", "write one with edgecnn wrap")
    digests = frozenset(filter(None, [description.card.graph_sha256, sha256_of(file)]))
    return CardSources(description, description.card, statements, read_results(results, file.name, digests), _signature(file))


def _signature(file: Path) -> str:
    """Whose key signed the file; whether it is right is for `edgecnn verify`, which needs the owner's key."""
    text = split(file).texts.get(SIGNATURE_KEY) if has_sections(file) else None
    if text is None:
        return ""
    key, _ = signature_text.decode(text)
    return f"by the key {fingerprint(key)}; check it with edgecnn verify"
