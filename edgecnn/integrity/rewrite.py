"""Writes a model file with another card; graph, weights and goldens stay as they are, the digests are renewed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError
from edgecnn.files import write_file
from edgecnn.integrity.copies import copy_companions
from edgecnn.integrity.digest import check_digests, sealed_parts
from edgecnn.integrity.sections import (
    DIGEST_KEY,
    SIGNATURE_KEY,
    BrokenFileError,
    format_of,
    ordered,
    read_body,
    split,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_REWRITTEN = (CARD_KEY, DIGEST_KEY, SIGNATURE_KEY)


def is_signed(file: Path) -> bool:
    """Whether a model file holds a signature; False for a file that can't be taken apart."""
    try:
        return SIGNATURE_KEY in split(file).texts
    except (BrokenFileError, OSError):
        return False


def write_with_card(file: Path, target: Path, card: ModelCard, key: Ed25519PrivateKey | None = None) -> bool:
    """Write ``file`` with ``card`` to ``target``, which may be the same; whether a signature was lost.

    With a ``key`` the new file is signed by it. Raises ``ArtifactError`` for a file that has changed or can't be taken apart.
    """
    check_digests(file)
    try:
        sections = split(file)
        texts = {name: text for name, text in sections.texts.items() if name not in _REWRITTEN}
        _, body, written = sealed_parts(file, card, texts)
        if target != file:
            copy_companions(file, target, read_body(file, sections))
    except (BrokenFileError, OSError) as error:
        raise ArtifactError(f"{file} can't be taken apart: {error}", "export the model again") from error
    if key is not None:
        from edgecnn.integrity.signature import signed

        written = signed(written, key)
    write_file(target, format_of(file).join(body, ordered(written)))
    return key is None and SIGNATURE_KEY in sections.texts
