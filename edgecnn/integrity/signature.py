"""Ed25519 signatures of model files: over the digest of graph, weights, card, goldens and all other texts.

The signature is the text ``edgecnn.signature``. What is signed are the bytes "edgecnn signature 1", a line feed and the text of the
digest (see ``edgecnn.integrity.digest``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError, InputError
from edgecnn.files import write_file
from edgecnn.integrity import signature_text
from edgecnn.integrity.copies import copy_companions
from edgecnn.integrity.digest import AGAIN, Digests, check_digests, sealed_parts
from edgecnn.integrity.keys import Ask, fingerprint, raw_bytes, read_private_key, read_public_key
from edgecnn.integrity.sections import (
    DIGEST_KEY,
    SIGNATURE_KEY,
    BrokenFileError,
    format_of,
    has_sections,
    ordered,
    read_body,
    split,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MESSAGE = b"edgecnn signature 1\n"
SIGN = "sign it with: edgecnn sign FILE --key KEY"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that is right for its file: the fingerprint of its key, and the digests of the file."""

    fingerprint: str
    digests: Digests


def sign_file(path: Path, key_file: Path, ask: Ask, out: Path | None = None) -> Signature:
    """Sign the model file at ``path`` in place, or write a signed copy to ``out``; a former signature is replaced.

    ``ask`` is called for the password of an encrypted key. A file without digests gets them. Raises ``ArtifactError`` for a file
    that has changed since its export, ``InputError`` for a key or file that can't be used.
    """
    _check_format(path)
    key = read_private_key(key_file, ask)
    body, texts = _with_digests(path)
    whole = signed(texts, key)
    if out is None:
        out = path
    else:
        copy_companions(path, out, body)
    write_file(out, format_of(path).join(body, ordered(whole)))
    return verify_file(out, raw_bytes(key.public_key()), fix=AGAIN)


def signed(texts: Mapping[str, bytes], key: Ed25519PrivateKey) -> dict[str, bytes]:
    """The texts of a file, its digest included, with the signature by ``key``."""
    signature = key.sign(_MESSAGE + texts[DIGEST_KEY])
    return {**texts, SIGNATURE_KEY: signature_text.encode(raw_bytes(key.public_key()), signature)}


def require_signature(path: Path, key_file: Path | None) -> None:
    """Check the signature of a model file where the option --require-signature names a public key; None requires nothing.

    Raises ``InputError`` for a key that can't be read, ``ArtifactError`` for a file that is unsigned, changed or of another key.
    """
    if key_file is not None:
        verify_file(path, raw_bytes(read_public_key(key_file, "--require-signature")))


def verify_file(path: Path, public_key: bytes, fix: str = SIGN) -> Signature:
    """The signature of the model file at ``path``, which must be by ``public_key``, 32 bytes.

    Raises ``ArtifactError`` for a file that is unsigned, has changed, or is signed by another key.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    _check_format(path)
    digests = check_digests(path)
    try:
        text = split(path).texts.get(SIGNATURE_KEY)
    except (BrokenFileError, OSError) as error:
        raise ArtifactError(f"{path} can't be read ({error})", AGAIN) from error
    if digests is None or text is None:
        raise ArtifactError(f"{path} is not signed", fix)
    stored_key, signature = signature_text.decode(text)
    if stored_key != public_key:
        raise ArtifactError(
            f"{path} is signed by the key {fingerprint(stored_key)}, not by {fingerprint(public_key)}",
            "sign it with the right key, or give the public key of its owner",
        )
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _MESSAGE + digests.whole.encode())
    except InvalidSignature as error:
        raise ArtifactError(f"the signature of {path} is not that of this file and key", fix) from error
    return Signature(fingerprint(public_key), digests)


def _check_format(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"the model file {path} does not exist", "check the path")
    if not has_sections(path):
        raise InputError(f"{path.name} can't hold a signature", "name an .onnx, .xml, .tflite or .pte file")


def _with_digests(path: Path) -> tuple[bytes, dict[str, bytes]]:
    """Body and texts of the file without a signature; a file without digests gets them."""
    whole = check_digests(path)
    try:
        sections = split(path)
        texts = {key: text for key, text in sections.texts.items() if key != SIGNATURE_KEY}
        if whole is not None:
            return read_body(path, sections), texts
        texts.pop(DIGEST_KEY, None)
        card = ModelCard.from_json(texts.pop(CARD_KEY).decode(), str(path)) if CARD_KEY in texts else None
        return sealed_parts(path, card, texts)[1:]
    except (BrokenFileError, UnicodeDecodeError, OSError) as error:
        raise ArtifactError(f"{path} can't be taken apart: {error}", AGAIN) from error
