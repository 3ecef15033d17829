"""The text of a signature: public key, signature and a SHA-256 of both, by which damage is noticed without the package cryptography."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from edgecnn.integrity.sections import BrokenFileError
from edgecnn.json_text import dump_json

VERSION = 1


def encode(key: bytes, signature: bytes) -> bytes:
    """The text for a public key of 32 bytes and a signature of 64 bytes."""
    record = {
        "version": VERSION,
        "key": base64.b64encode(key).decode(),
        "signature": base64.b64encode(signature).decode(),
        "sha256": hashlib.sha256(key + signature).hexdigest(),
    }
    return dump_json(record, separators=(",", ":")).encode()


def decode(text: bytes) -> tuple[bytes, bytes]:
    """Public key and signature. Raises ``BrokenFileError`` for a text that ``encode`` did not write."""
    try:
        record = json.loads(text)
        key, signature = (base64.b64decode(record[name], validate=True) for name in ("key", "signature"))
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise BrokenFileError(f"its signature can't be read ({error})") from error
    # Base64 has several texts for the same bytes, JSON too.
    if encode(key, signature) != text:
        raise BrokenFileError("its signature has changed, or is of a newer edgecnn")
    return key, signature
